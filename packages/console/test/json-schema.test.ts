import { expect, test } from 'vitest';
import { draftOf, fieldsOf, readDraft } from '../src/lib/json-schema.ts';

const SCHEMA = {
  type: 'object',
  properties: {
    model: { type: 'string' },
    temperature: { type: 'number', minimum: 0, maximum: 2 },
    max_steps: { type: 'integer', minimum: 1, default: 8 },
    effort: { type: 'string', enum: ['low', 'high'] },
    parallel: { type: 'boolean' },
    tools: { type: 'array', items: { type: 'string' } },
    budget: { $ref: '#/$defs/budget' },
    nullable: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  },
  required: ['model', 'max_steps'],
  $defs: { budget: { type: 'object', description: 'What it may cost' } },
};

test('each kind of property gets the field that fits it', () => {
  const kinds = Object.fromEntries(fieldsOf(SCHEMA).map(({ name, kind }) => [name, kind]));
  expect(kinds).toEqual({
    model: 'text',
    temperature: 'number',
    max_steps: 'number',
    effort: 'choice',
    parallel: 'boolean',
    tools: 'list',
    budget: 'json',
    nullable: 'text',
  });
});

test('a reference is followed, and a property with a default is not asked for', () => {
  const fields = new Map(fieldsOf(SCHEMA).map((field) => [field.name, field]));
  expect(fields.get('budget')?.description).toBe('What it may cost');
  expect(fields.get('model')?.isRequired).toBe(true);
  expect(fields.get('max_steps')?.isRequired).toBe(false);
});

test('a reference that leads to itself ends', () => {
  const [field] = fieldsOf({ properties: { a: { $ref: '#/properties/a' } } });
  expect(field?.kind).toBe('json');
});

test('a value survives the form, and what is empty is left out', () => {
  const fields = fieldsOf(SCHEMA);
  const value = {
    model: 'demo:fast',
    temperature: 0,
    effort: 'low',
    parallel: false,
    tools: ['a', 'b'],
    budget: { tokens: 5 },
  };
  expect(readDraft(fields, draftOf(fields, value))).toEqual({ value, errors: {} });
});

test('what cannot be read is told at its field, and nothing of the others is lost', () => {
  const draft = { temperature: 'warm', max_steps: '1.5', budget: '{', tools: ['a'] };
  expect(readDraft(fieldsOf(SCHEMA), draft)).toEqual({
    value: { tools: ['a'] },
    errors: {
      model: 'This is needed',
      temperature: 'This has to be a number',
      max_steps: 'This has to be a whole number',
      budget: 'This is not valid JSON',
    },
  });
});
