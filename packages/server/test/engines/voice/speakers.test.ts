import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  labelsOf,
  mergeSegments,
  Speakers,
  type SpokenSegment,
} from '../../../src/engines/voice/speakers.ts';

const LABELS = ['A', 'B', 'C', 'D', 'E', '__proto__', 'constructor', 'Speaker 1'];
const label = fc.constantFrom(...LABELS);
const merges = fc.array(fc.array(fc.constantFrom(...LABELS, 'nobody'), { maxLength: 5 }), { maxLength: 12 });
const labels = fc.uniqueArray(label, { minLength: 1 });
const segments = fc.array(
  fc.record(
    { text: fc.string(), speaker: label, start: fc.nat(), end: fc.nat() },
    { requiredKeys: ['text'] },
  ),
);

describe('whatever is merged', () => {
  test('there are never fewer people than wanted, and every merge leaves as many fewer as it says', () => {
    fc.assert(
      fc.property(labels, fc.nat(8), merges, (all, surplus, tries) => {
        const wanted = Math.max(all.length - surplus, 1);
        const speakers = new Speakers(all, wanted);
        for (const names of tries) {
          const before = { count: speakers.count, mapping: speakers.mapping };
          const persons = new Set(names.map((name) => speakers.person(name)));
          const outcome = speakers.merge(names);
          if (outcome.ok) expect(speakers.count).toBe(before.count - persons.size + 1);
          else expect({ count: speakers.count, mapping: speakers.mapping }).toEqual(before);
          expect(speakers.count).toBeGreaterThanOrEqual(wanted);
          expect(speakers.people).toHaveLength(speakers.count);
          expect(speakers.groups).toHaveLength(speakers.count);
        }
      }),
    );
  });

  test('every label has one person, named by the first of its labels', () => {
    fc.assert(
      fc.property(labels, merges, (all, tries) => {
        const speakers = new Speakers(all, 1);
        for (const names of tries) speakers.merge(names);
        expect(Object.keys(speakers.mapping).sort()).toEqual([...all].sort());
        expect(speakers.groups.flat().sort()).toEqual([...all].sort());
        for (const group of speakers.groups) {
          for (const one of group) {
            expect(speakers.person(one)).toBe(group[0]);
            expect(Object.entries(speakers.mapping)).toContainEqual([one, group[0]]);
          }
        }
        expect(speakers.groups.map(([first]) => first)).toEqual(speakers.people);
      }),
    );
  });

  test('what was one person stays one, in whatever order it was said', () => {
    fc.assert(
      fc.property(labels, merges, (all, tries) => {
        const forth = new Speakers(all, 1);
        const back = new Speakers(all, 1);
        for (const names of tries) forth.merge(names);
        for (const names of tries.toReversed()) back.merge(names);
        expect(back.mapping).toEqual(forth.mapping);
      }),
    );
  });

  test('no word of a transcript is lost, and no two neighbours are the same person', () => {
    fc.assert(
      fc.property(segments, merges, (spoken, tries) => {
        const speakers = new Speakers(labelsOf(spoken), 1);
        for (const names of tries) speakers.merge(names);
        const joined = mergeSegments(spoken, speakers);
        const words = (list: readonly SpokenSegment[]) =>
          list.flatMap(({ text }) => text.split(' ')).join('');
        expect(words(joined)).toBe(words(spoken));
        for (const [n, { speaker }] of joined.entries()) {
          if (speaker === undefined) continue;
          expect(speakers.people).toContain(speaker);
          expect(joined[n + 1]?.speaker).not.toBe(speaker);
        }
      }),
    );
  });
});

describe('a merge is refused, and says what is possible, when', () => {
  test.each<[string, string[], RegExp]>([
    ['a label is not there', ['A', 'X'], /There is no label "X"; the labels are: A, B, C, D$/],
    ['there is one label', ['A'], /at least two different/],
    ['there is one label twice', ['A', 'A'], /at least two different/],
    ['there is none', [], /at least two different/],
    ['they are one person already', ['C', 'A'], /"C", "A" are one person already/],
    [
      'there would be too few people',
      ['A', 'B', 'D'],
      /leave 1 of 2 people; at most 2 people can become one/,
    ],
  ])('%s', (_what, names, error) => {
    const speakers = new Speakers(['A', 'B', 'C', 'D'], 2);
    expect(speakers.merge(['A', 'C'])).toEqual({ ok: true, merged: ['A', 'C'], into: 'A' });
    expect(speakers.merge(names)).toEqual({ ok: false, error: expect.stringMatching(error) });
    expect(speakers.count).toBe(3);
  });

  test('there are as many people as there have to be', () => {
    const speakers = new Speakers(['A', 'B'], 2);
    expect(speakers.merge(['A', 'B'])).toEqual({
      ok: false,
      error: expect.stringMatching(/2 people already/),
    });
  });
});

test('a person is called by the label that speaks first, whoever was merged first', () => {
  const speakers = new Speakers(['A', 'B', 'C', 'D'], 1);
  speakers.merge(['D', 'C']);
  speakers.merge(['B', 'D']);
  expect(speakers.mapping).toEqual({ A: 'A', B: 'B', C: 'B', D: 'B' });
  speakers.merge(['C', 'A']);
  expect(speakers.mapping).toEqual({ A: 'A', B: 'A', C: 'A', D: 'A' });
});

test('joined segments begin with the first and end with the last of them', () => {
  const speakers = new Speakers(['A', 'B', 'C'], 2);
  speakers.merge(['A', 'C']);
  expect(
    mergeSegments(
      [
        { speaker: 'A', text: 'One', start: 0, end: 1 },
        { speaker: 'C', text: 'two', start: 1.5, end: 2 },
        { speaker: 'A', text: 'three' },
        { speaker: 'B', text: 'Four', start: 3 },
        { text: 'Who?' },
        { text: 'Me.' },
      ],
      speakers,
    ),
  ).toEqual([
    { speaker: 'A', text: 'One two three', start: 0, end: 2 },
    { speaker: 'B', text: 'Four', start: 3 },
    { text: 'Who?' },
    { text: 'Me.' },
  ]);
});
