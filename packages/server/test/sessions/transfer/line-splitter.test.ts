import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '../../../src/sessions/transfer/line-splitter.ts';

function split(chunks: readonly Uint8Array[], maxLine = 100): string[] {
  const splitter = new LineSplitter(maxLine);
  const lines: string[] = [];
  for (const chunk of chunks) {
    for (const line of splitter.take(chunk)) lines.push(Buffer.from(line).toString());
    // Whoever gave the bytes uses them again.
    chunk.fill(0x21);
  }
  const rest = splitter.rest();
  return rest ? [...lines, Buffer.from(rest).toString()] : lines;
}

test('lines are the same wherever their bytes are cut', () => {
  const line = fc.stringMatching(/^[a-zé\r]{0,20}$/);
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(200)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''));
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => new Uint8Array(bytes.subarray(places[index], end)));

      expect(split(chunks)).toEqual(lines);
    }),
  );
});

test('the last line needs no end', () => {
  expect(split([new Uint8Array(Buffer.from('a\nb'))])).toEqual(['a', 'b']);
});

test('a line that is too long is refused before it is whole', () => {
  const long = () => new Uint8Array(Buffer.from('x'.repeat(6)));

  expect(() => split([long(), long()], 10)).toThrow('Line 1 has more than 10 bytes');
  expect(split([new Uint8Array(Buffer.from('x'.repeat(10)))], 10)).toHaveLength(1);
});

test('what is held stays, although its buffer is used again', () => {
  const splitter = new LineSplitter(100);
  const buffer = Buffer.from('half');
  expect([...splitter.take(buffer)]).toEqual([]);

  buffer.set(Buffer.from('!!!\n'));

  expect(String([...splitter.take(buffer)][0])).toBe('half!!!');
});

test('bytes that come one by one take no more room than their line', () => {
  const splitter = new LineSplitter(1_000_000);
  for (let count = 0; count < 100_000; count++) expect([...splitter.take(Buffer.from('x'))]).toEqual([]);

  const [line] = [...splitter.take(Buffer.from('\n'))];

  expect(line).toHaveLength(100_000);
  expect(line?.buffer.byteLength).toBeLessThanOrEqual(200_000);
});
