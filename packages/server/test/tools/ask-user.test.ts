import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { askUserTool } from '../../src/tools/ask-user.ts';
import { ToolRegistry } from '../../src/tools/registry.ts';
import { compileSchema } from '../../src/validation/json-schema.ts';

/** The form of what a model says, or what is wrong with it. */
function ask(input: unknown) {
  const parsed = askUserTool.parameters.safeParse(input);
  if (!parsed.success)
    return { errors: parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) };
  const form = askUserTool.form?.(parsed.data);
  if (!form || form.schema instanceof z.ZodType) throw new Error('it makes a form of JSON Schema');
  return { prompt: form.prompt, schema: form.schema, check: compileSchema(form.schema) };
}

test('a question has one free answer', () => {
  const { prompt, schema, check } = ask({ question: ' Which colour? ' });

  expect(prompt).toBe('Which colour?');
  expect(schema).toEqual({
    type: 'object',
    properties: { answer: { type: 'string', minLength: 1, maxLength: 10_000 } },
    required: ['answer'],
    additionalProperties: false,
  });
  expect(check?.({ answer: 'red' })).toEqual([]);
  expect(check?.({ answer: '' })).toEqual([expect.objectContaining({ path: 'answer' })]);
  expect(check?.({})).toEqual([expect.objectContaining({ path: 'answer' })]);
  expect(check?.({ answer: 'red', more: 1 })).not.toEqual([]);
  expect(check?.({ answer: 'x'.repeat(10_001) })).not.toEqual([]);
  expect(check?.('red')).not.toEqual([]);
});

test.each(['constructor', 'toString', 'valueOf'])('a field may be called %s, and stay empty', (name) => {
  const fields = (required: boolean) => [{ name, type: 'boolean', required }];

  const { check } = ask({ question: 'Which?', fields: fields(false) });
  expect(check?.({})).toEqual([]);
  expect(check?.({ [name]: true })).toEqual([]);
  expect(check?.({ [name]: 'x' })).toEqual([expect.objectContaining({ path: name })]);

  const strict = ask({ question: 'Which?', fields: fields(true) });
  expect(strict.check?.({})).toEqual([
    expect.objectContaining({ path: name, message: expect.stringContaining('required') }),
  ]);
});

test('fields make a form with their labels and types', () => {
  const { schema, check } = ask({
    question: 'Your order?',
    fields: [
      { name: 'size', label: 'Size', type: 'choice', options: ['S', 'M', 'L'] },
      { name: 'count', type: 'number' },
      { name: 'gift', label: 'Is it a gift?', type: 'boolean', required: false },
      { name: 'note', required: false },
    ],
  });

  expect(schema).toEqual({
    type: 'object',
    properties: {
      size: { title: 'Size', type: 'string', enum: ['S', 'M', 'L'] },
      count: { type: 'number' },
      gift: { title: 'Is it a gift?', type: 'boolean' },
      note: { type: 'string', maxLength: 10_000 },
    },
    required: ['size', 'count'],
    additionalProperties: false,
  });
  expect(check?.({ size: 'M', count: 2 })).toEqual([]);
  expect(check?.({ size: 'M', count: 2, gift: false, note: '' })).toEqual([]);
  expect(check?.({ size: 'XL', count: 2 })).toEqual([expect.objectContaining({ path: 'size' })]);
  expect(check?.({ size: 'M', count: '2' })).toEqual([expect.objectContaining({ path: 'count' })]);
});

const field = (more: object = {}) => ({ name: 'a', ...more });
const many = (count: number) => Array.from({ length: count }, (_, index) => field({ name: `a${index}` }));

describe('what is no form is refused with what is wrong', () => {
  test.each([
    ['no question', {}, /^question: /],
    ['an empty question', { question: ' ' }, /^question: /],
    ['a question without an end', { question: 'x'.repeat(2001) }, /^question: /],
    ['no fields', { question: 'a', fields: [] }, /^fields: /],
    ['too many fields', { question: 'a', fields: many(21) }, /^fields: /],
    ['a name that is none', { question: 'a', fields: [field({ name: '' })] }, /^fields\.0\.name: /],
    ['a name with a space', { question: 'a', fields: [field({ name: 'a b' })] }, /^fields\.0\.name: /],
    ['a name of JavaScript', { question: 'a', fields: [field({ name: '__proto__' })] }, /^fields\.0\.name: /],
    ['the same name twice', { question: 'a', fields: [field(), field()] }, /^fields\.1\.name: there are two/],
    ['a type that is none', { question: 'a', fields: [field({ type: 'date' })] }, /^fields\.0\.type: /],
    ['a long label', { question: 'a', fields: [field({ label: 'x'.repeat(201) })] }, /^fields\.0\.label: /],
    [
      'a choice of nothing',
      { question: 'a', fields: [field({ type: 'choice' })] },
      /^fields\.0\.options: a choice needs options$/,
    ],
    [
      'too many options',
      { question: 'a', fields: [field({ type: 'choice', options: many(51).map(({ name }) => name) })] },
      /^fields\.0\.options: /,
    ],
    [
      'an option twice',
      { question: 'a', fields: [field({ type: 'choice', options: ['x', 'x'] })] },
      /^fields\.0\.options: two are the same$/,
    ],
    [
      'options of a text',
      { question: 'a', fields: [field({ options: ['x'] })] },
      /^fields\.0\.options: a text has no options$/,
    ],
  ])('%s', (_what, input, message) => {
    expect(ask(input).errors).toEqual([expect.stringMatching(message)]);
  });
});

test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('a field may be called %s', (name) => {
  const { check } = ask({ question: 'a', fields: [{ name }] });

  expect(check?.({ [name]: 'b' })).toEqual([]);
  expect(check?.({})).toEqual([expect.objectContaining({ path: name })]);
});

test('a form that JSON Schema would refuse for its size is refused before', () => {
  const form = (length: number) => ({
    question: 'x'.repeat(2000),
    fields: many(20).map((one) => ({
      ...one,
      type: 'choice',
      options: Array.from({ length: 50 }, (_, index) => `"${index}"`.padEnd(length, 'ü')),
    })),
  });

  expect(ask(form(40)).check).toBeTypeOf('function');
  expect(ask(form(200)).errors).toEqual(['fields: the form is too large']);
});

test('models are told of it by a JSON schema', () => {
  const registry = new ToolRegistry();
  registry.register(askUserTool);

  expect(registry.specs(['ask_user'])).toEqual([
    expect.objectContaining({
      parameters: expect.objectContaining({ type: 'object', required: ['question'] }),
    }),
  ]);
});

test('a person executes it, so it does nothing itself', () => {
  expect(askUserTool.execute).toBeUndefined();
  expect(askUserTool.client).toBeUndefined();
});
