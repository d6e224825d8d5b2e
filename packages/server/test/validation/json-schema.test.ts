import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Json, JsonObject } from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import { compileSchema } from '../../src/validation/json-schema.ts';

const TEXT: JsonObject = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await setImmediate();
  gc();
}

test('says where a value does not fit', () => {
  const check = compileSchema(TEXT, 'value');

  expect(check({ a: 'x' })).toEqual([]);
  expect(check({ a: 1 })).toEqual([{ path: 'value.a', message: 'must be string' }]);
  expect(check({})).toEqual([{ path: 'value.a', message: expect.stringMatching(/required/) }]);
});

test('says no more than twenty things about a value, however much is wrong with it', () => {
  const check = compileSchema({ type: 'array', items: { type: 'string' } });

  expect(check(Array.from({ length: 5000 }, () => 1))).toHaveLength(20);
});

test('a schema that nobody needs any more takes no memory', async () => {
  const seen = Array.from({ length: 20 }, (_, n) => {
    const schema = { ...TEXT, title: `schema ${n}` };
    compileSchema(schema)({ a: 1 });
    return new WeakRef(schema);
  });

  await collectGarbage();

  expect(seen.filter((schema) => schema.deref() !== undefined)).toEqual([]);
});

test('two schemas may have the same id, and different contents', () => {
  const [text, number] = ['string', 'number'].map((type) =>
    compileSchema({ $id: 'https://example.com/a', properties: { b: { $id: 'b', type } } }),
  );

  expect([text?.({ b: 1 }).length, number?.({ b: 1 }).length]).toEqual([1, 0]);
});

describe('a check ends', () => {
  const doubling = (levels: number): JsonObject => {
    const next = (n: number) => ({ allOf: [{ $ref: `#/$defs/d${n}` }, { $ref: `#/$defs/d${n}` }] });
    const defs = Array.from({ length: levels }, (_, n) => [`d${n}`, next(n + 1)]);
    return { $defs: Object.fromEntries([...defs, [`d${levels}`, { type: 'object' }]]), ...next(0) };
  };
  const tooMuch = [{ path: 'value', message: 'is too much to check by this schema' }];

  test('however often its references double', () => {
    expect(compileSchema(doubling(8))({})).toEqual([]);
    expect(compileSchema(doubling(64), 'value')({})).toEqual(tooMuch);
  });

  test('however often they double with the value', () => {
    const schema = { properties: { a: { allOf: [{ $ref: '#' }, { $ref: '#' }] } } };
    let value: Json = {};
    for (let level = 0; level < 64; level++) value = { a: value };

    expect(compileSchema(schema, 'value')(value)).toEqual(tooMuch);
    expect(compileSchema(schema)({ a: { a: {} } })).toEqual([]);
  });

  test('however many errors there are', () => {
    const schema = { items: { allOf: Array.from({ length: 1000 }, () => ({ type: 'string' })) } };

    expect(compileSchema(schema, 'value')(Array.from({ length: 10_000 }, () => 1))).toEqual(tooMuch);
  });

  test('with a value that is too deep', () => {
    let value: Json = [];
    for (let level = 0; level < 100_000; level++) value = [value];

    expect(compileSchema({ items: { $ref: '#' } }, 'value')(value)).toEqual(tooMuch);
  });
});

test.each<[Json[], boolean]>([
  [[1, '1', true, null, [1], { a: 1 }, [['a', 1]]], true],
  [
    [
      { a: 1, b: [2] },
      { b: [2], a: 1 },
    ],
    false,
  ],
  [[{ a: null }, {}], true],
  [Array.from({ length: 100_000 }, (_, n) => ({ n })), true],
])('items may have to be unique', (items, isUnique) => {
  const errors = compileSchema({ type: 'array', uniqueItems: true })(items);

  expect(errors).toEqual(isUnique ? [] : [{ path: '', message: 'must NOT have duplicate items' }]);
  expect(compileSchema({ uniqueItems: false })([1, 1])).toEqual([]);
});

test('words of a schema that are data, or names of properties, stay what they are', () => {
  const check = compileSchema({
    properties: {
      const: { const: { properties: {} } },
      items: { enum: [{ type: 'string' }] },
      ['__proto__']: { type: 'string' },
    },
    additionalProperties: false,
  });

  expect(check({ const: { properties: {} }, items: { type: 'string' } })).toEqual([]);
  expect(check(JSON.parse('{"__proto__": 1}'))).toHaveLength(1);
  expect(check({ 'x-llmgine-step': true })).toHaveLength(1);
});

describe('no schema', () => {
  test.each<[string, JsonObject, RegExp]>([
    ['a type that there is not', { type: 'strnig' }, /schema is not valid.*type/],
    ['a word with a wrong value', { type: 'object', required: 'a' }, /schema is not valid.*required/],
    ['a reference to nothing', { $ref: '#/$defs/none' }, /schema is not valid.*can't resolve/],
    ['a draft that nobody knows', { $schema: 'https://example.com/draft' }, /schema is not valid.*draft/],
    ['a pattern that takes exponential time', { type: 'string', pattern: '(?=a)b' }, /schema is not valid/],
    ['more than can be compiled at once', { title: 'x'.repeat(100_000) }, /more than 100000 characters/],
  ])('is %s', (_, schema, reason) => {
    expect(() => compileSchema(schema)).toThrow(reason);
  });

  test('is one that fits, with references, formats and a draft of its own', () => {
    const check = compileSchema({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $defs: { mail: { type: 'string', format: 'email' } },
      type: 'array',
      items: { $ref: '#/$defs/mail' },
    });

    expect(check(['a@example.com', 'nobody'])).toEqual([{ path: '1', message: expect.any(String) }]);
  });
});
