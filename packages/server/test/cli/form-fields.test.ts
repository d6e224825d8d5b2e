import { expect, test } from 'vitest';
import { formFields, readField, singleField } from '../../src/cli/chat/form-fields.ts';

const SCHEMA = {
  type: 'object',
  properties: {
    city: { type: 'string', description: 'Where to' },
    floor: { type: 'integer' },
    size: { enum: ['small', 'large', 7] },
    fast: { type: 'boolean', default: false },
    tags: { type: 'array' },
  },
  required: ['city', 'size', 'tags'],
};

function read(name: string, typed: string) {
  const field = formFields(SCHEMA)?.find((one) => one.name === name);
  if (!field) throw new Error(name);
  return readField(field, typed);
}

test.each([
  ['city', ' Bonn ', { value: 'Bonn' }],
  ['city', '', { wrong: 'it is needed' }],
  ['floor', '-3', { value: -3 }],
  ['floor', '', { value: undefined }],
  ['floor', '1.5', { wrong: 'it is a whole number' }],
  ['size', '2', { value: 'large' }],
  ['size', 'small', { value: 'small' }],
  ['size', '7', { value: 7 }],
  ['size', '0', { wrong: 'it is one of 1 to 3' }],
  ['size', 'huge', { wrong: 'it is one of 1 to 3' }],
  ['fast', '', { value: false }],
  ['fast', 'YES', { value: true }],
  ['fast', 'perhaps', { wrong: 'it is y or n' }],
  ['tags', '["a"]', { value: ['a'] }],
  ['tags', 'a', { wrong: 'it is JSON, for example ["a", "b"]' }],
])('%s: %j is read as %j', (name, typed, expected) => {
  expect(read(name, typed)).toEqual(expected);
});

test('a schema that is of no object is one field', () => {
  expect(formFields({ type: 'string' })).toBeNull();
  expect(formFields(null)).toBeNull();
  expect(readField(singleField({ type: 'number' }), '4.5')).toEqual({ value: 4.5 });
});
