import { clientEnvelopeSchema } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEnvelope } from '../../src/ws/envelope.ts';

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('', 'x'.repeat(101), 'x'.repeat(256), [], {}),
);
const envelopes = fc.record(
  {
    type: fc.oneof({ weight: 4, arbitrary: fc.string({ maxLength: 100 }) }, { weight: 1, arbitrary: odd }),
    message_id: fc.oneof(fc.integer(), fc.double(), fc.string({ maxLength: 255 }), odd),
    data: fc.oneof(fc.dictionary(fc.string(), odd), fc.dictionary(fc.string(), fc.string()), odd),
    more: odd,
  },
  { requiredKeys: [] },
);

test('it is what the schema says, whichever way it was read', () => {
  fc.assert(
    fc.property(fc.oneof(envelopes, odd), (value) => {
      const text = JSON.stringify(value);
      const expected = clientEnvelopeSchema.safeParse(JSON.parse(text));
      if (!expected.success) {
        expect(() => parseEnvelope(text)).toThrow('failed validation');
        return;
      }
      const { type, message_id, data } = parseEnvelope(text);
      expect({ type, message_id, data }).toEqual({ message_id: undefined, ...expected.data });
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['an infinite message_id', '{"type":"ping","message_id":1e999}'],
  ['data that is null', '{"type":"ping","data":null}'],
  ['an array for data', '{"type":"ping","data":[]}'],
  ['data that is too deep', `{"type":"ping","data":{"x":${'['.repeat(200)}${']'.repeat(200)}}}`],
])('refuses %s', (_, text) => {
  expect(() => parseEnvelope(text)).toThrow('failed validation');
});

test('a name that stands for the prototype does not come through', () => {
  const { data } = parseEnvelope('{"type":"ping","data":{"__proto__":{"admin":true},"x":1}}');
  expect(Object.keys(data)).toEqual(['x']);
  expect('admin' in data).toBe(false);
});

test('what is no JSON has a code of its own', () => {
  expect(() => parseEnvelope('{')).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
});
