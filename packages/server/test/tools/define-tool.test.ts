import { defineTool } from '@llmgine/api';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

const parameters = z.object({ city: z.string(), days: z.int().default(1) });

test('a tool that the server executes has typed arguments and knows for whom it works', () => {
  const tool = defineTool({
    name: 'weather',
    description: 'Tells the weather',
    parameters,
    approval: ({ days }, { principal }) => {
      expectTypeOf(days).toEqualTypeOf<number>();
      return principal.tenantId === 'other';
    },
    async execute(args, context) {
      expectTypeOf(args).toEqualTypeOf<{ city: string; days: number }>();
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(context.sessionId).toBeString();
      context.progress(`asking for ${args.city}`);
      return { city: args.city };
    },
  });

  expect(tool.name).toBe('weather');
  expect(Object.isFrozen(tool)).toBe(true);
});

test('a tool that a person executes makes a form of its typed arguments', () => {
  const tool = defineTool({
    name: 'ask',
    description: 'Asks',
    parameters,
    timeoutMs: 30 * 24 * 3_600_000,
    form: ({ city }) => ({ prompt: `How is ${city}?`, schema: z.object({ stars: z.int() }) }),
  });

  expect(tool.form?.({ city: 'Rome', days: 1 }).prompt).toBe('How is Rome?');
});

test('a tool that a client executes has no code here', () => {
  expect(
    defineTool({ name: 'scan', description: 'Scans', parameters, client: true, result: z.string() }),
  ).toMatchObject({ client: true });
});

test('what JSON Schema cannot say of its parameters may be told to models in other words', () => {
  const dates = z.object({ at: z.date() });
  const jsonSchema = { type: 'object', properties: { at: { type: 'string', format: 'date-time' } } };
  const tool = { name: 'at', description: 'At', parameters: dates, execute: () => null };

  expect(defineTool({ ...tool, jsonSchema }).jsonSchema).toEqual(jsonSchema);
  expect(() => defineTool(tool)).toThrow('The parameters of tool "at" cannot be described');
});

describe('is a TypeError:', () => {
  const base = { name: 'mine', description: 'Mine', parameters: z.object({}) };
  const execute = () => null;
  const form = () => ({ prompt: 'a', schema: {} });

  test.each([
    ['nobody executes it', {}, '"execute" of tool "mine" must be a function'],
    ['execute is no function', { execute: 'yes' }, '"execute" of tool "mine" must be a function'],
    ['form is no function', { form: {} }, '"form" of tool "mine" must be a function'],
    [
      'client and execute',
      { client: true, execute },
      'Tool "mine" is executed by a client, so it has no "execute"',
    ],
    ['form and execute', { form, execute }, 'Tool "mine" is a form for a person, so it has no "execute"'],
    ['form and client', { form, client: true }, 'Tool "mine" is a form for a person, so it is not "client"'],
    [
      'a result that nobody checks',
      { execute, result: z.string() },
      '"result" of tool "mine" is for what a client answers, and it has none',
    ],
    ['client is a word', { client: 'yes' }, '"client" of tool "mine" must be true or false'],
    ['optIn is a word', { execute, optIn: 'no' }, '"optIn" of tool "mine" must be true or false'],
    [
      'idempotent is a number',
      { execute, idempotent: 1 },
      '"idempotent" of tool "mine" must be true or false',
    ],
    [
      'approval is a word',
      { execute, approval: 'never' },
      '"approval" of tool "mine" must be true, false, or a function that decides',
    ],
    [
      'approval is nothing',
      { execute, approval: null },
      '"approval" of tool "mine" must be true, false, or a function that decides',
    ],
    ['no time', { execute, timeoutMs: 0 }, '"timeoutMs" of tool "mine" must be a number of milliseconds'],
    [
      'a time in words',
      { execute, timeoutMs: '5s' },
      '"timeoutMs" of tool "mine" must be a number of milliseconds',
    ],
    [
      'a time without an end',
      { execute, timeoutMs: Number.POSITIVE_INFINITY },
      '"timeoutMs" of tool "mine" must be a number of milliseconds',
    ],
    [
      'a time that no timer can wait',
      { execute, timeoutMs: 2 ** 31 },
      '"timeoutMs" of tool "mine" may be 2147483647 at most',
    ],
    ['no description', { execute, description: undefined }, 'The description of tool "mine" must be a text'],
    [
      'a JSON schema of no object',
      { execute, jsonSchema: { type: 'string' } },
      '"jsonSchema" of tool "mine" must have the type "object"',
    ],
    [
      'a JSON schema that is none',
      { execute, jsonSchema: { type: 'object', properties: 1 } },
      /^"jsonSchema" of tool "mine": The schema is not valid: /,
    ],
  ])('%s', (_what, parts, message) => {
    const defining = () => defineTool({ ...base, ...parts } as never);

    expect(defining).toThrow(TypeError);
    expect(defining).toThrow(typeof message === 'string' ? new TypeError(message) : message);
  });
});
