import type { JsonObject } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { toolSchema } from '../../src/models/tool-schema.ts';

const TEXT = { type: 'string' };

test('a plain one stays as it is', () => {
  const schema = { type: 'object', properties: { a: TEXT }, required: ['a'], $defs: {} };

  expect(toolSchema(schema)).toBe(schema);
});

test.each<[string, JsonObject, JsonObject]>([
  ['nothing', {}, {}],
  ['no properties', { type: 'object' }, {}],
  [
    'a choice',
    { oneOf: [{ type: 'object', properties: { a: TEXT } }, { properties: { b: TEXT } }] },
    { a: TEXT, b: TEXT },
  ],
  [
    'properties and a choice',
    { type: 'object', properties: { a: TEXT }, anyOf: [{ required: ['a'] }, {}] },
    { a: TEXT },
  ],
  ['parts', { allOf: [{ properties: { a: TEXT } }, { properties: { a: TEXT } }] }, { a: TEXT }],
  [
    'kinds of one thing',
    { oneOf: [{ properties: { kind: { const: 'x' } } }, { properties: { kind: { const: 'y' } } }] },
    { kind: { anyOf: [{ const: 'x' }, { const: 'y' }] } },
  ],
  ['what is forbidden', { type: 'object', properties: {}, not: { required: ['a'] } }, {}],
  ['a choice that is none', { anyOf: 'x', properties: 7, oneOf: [null, 7, { properties: [] }] }, {}],
])('%s becomes an object with properties', (_, schema, properties) => {
  expect(toolSchema(schema)).toEqual({ type: 'object', properties });
});

test('what else a schema says stays', () => {
  const { anyOf: _, ...rest } = { description: 'x', $defs: { a: TEXT }, required: ['a'], anyOf: [] };

  expect(toolSchema({ ...rest, anyOf: [] })).toEqual({ ...rest, type: 'object', properties: {} });
});
