import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clock, transcriptLines } from '../../../src/engines/voice/excerpts.ts';
import { labelsOf } from '../../../src/engines/voice/speakers.ts';
import { readable } from '../../../src/engines/voice/transcript.ts';

const LIMIT = 10_000;
const segments = fc.array(
  fc.record({
    speaker: fc.constantFrom('A', 'B', 'C', 'D'),
    text: fc.lorem({ maxCount: 200 }),
    start: fc.nat(90_000),
  }),
  { maxLength: 300 },
);

test('what fits is shown as it is', () => {
  expect(
    transcriptLines(
      [
        { speaker: 'A', text: ' Hello\n there', start: 0 },
        { speaker: 'B', text: 'Hi', start: 3725.9 },
        { text: 'Labels: X, Y' },
      ],
      LIMIT,
    ),
  ).toBe('[0:00] A: Hello there\n[1:02:05] B: Hi\nLabels: X, Y');
});

test('of what does not fit, everybody says something, in order, and it is never more than allowed', () => {
  fc.assert(
    fc.property(segments, (spoken) => {
      const lines = transcriptLines(spoken, LIMIT).split('\n');
      expect(lines.join('\n').length).toBeLessThanOrEqual(LIMIT);
      for (const label of labelsOf(spoken)) {
        expect(lines.some((line) => line.includes(`] ${label}: `))).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test('somebody who says little is heard between others who say much, from beginning to end', () => {
  const spoken = Array.from({ length: 5000 }, (_, n) => ({
    speaker: n % 1000 === 500 ? 'Quiet' : n % 2 === 0 ? 'A' : 'B',
    text: `sentence ${n} `.repeat(10),
    start: n,
  }));
  const lines = transcriptLines(spoken, 20_000).split('\n');
  expect(lines.filter((line) => line.includes('Quiet: '))).toHaveLength(5);
  for (const who of ['A', 'B']) {
    const times = lines
      .filter((line) => line.includes(`] ${who}: `))
      .map((line) => /\[(.*)\]/.exec(line)?.[1]);
    expect(times.length).toBeGreaterThan(20);
    expect(times[0]).toMatch(/^0:0/);
    expect(times.at(-1)).toMatch(/^1:2/);
  }
  expect(lines).toContain('…');
  expect(lines.join('\n').length).toBeGreaterThan(10_000);
});

test('a long text without segments is shown in pieces from all over it', () => {
  const text = Array.from({ length: 20_000 }, (_, n) => `word${n}`).join(' ');
  const shown = readable({ text, language: null, duration: null, segments: [] }, LIMIT);
  expect(shown.length).toBeLessThanOrEqual(LIMIT);
  expect(shown).toMatch(/^word0 /);
  expect(shown).toMatch(/word19\d{3}/);
  expect(readable({ text: 'short', language: null, duration: null, segments: [] }, LIMIT)).toBe('short');
});

test.each([
  [0, '0:00'],
  [59.9, '0:59'],
  [61, '1:01'],
  [3600, '1:00:00'],
])('%d seconds are %s', (seconds, text) => {
  expect(clock(seconds)).toBe(text);
});
