import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerMerges } from '../../../src/engines/voice/merge-calls.ts';
import { Speakers } from '../../../src/engines/voice/speakers.ts';

const LABELS = ['A', 'B', 'C', 'D', 'E'];
const sane = fc.record({
  speakers: fc.array(fc.constantFrom(...LABELS, 'Z', ' A '), { maxLength: 4 }),
  reason: fc.string(),
});
const call = fc.record({
  toolCallId: fc.string(),
  toolName: fc.constantFrom('merge_speakers', 'merge_speakers', 'rm -rf', '__proto__'),
  arguments: fc.oneof(sane, sane, fc.jsonValue()) as fc.Arbitrary<never>,
});

test('whatever a model calls, each call is answered, in words of what there is, and never too much is merged', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 100 }), fc.integer({ min: 1, max: 5 }), (calls, wanted) => {
      const speakers = new Speakers(LABELS, wanted);
      const answers = answerMerges(speakers, calls);
      expect(answers).toHaveLength(calls.length);
      expect(speakers.count).toBeGreaterThanOrEqual(wanted);
      for (const { result, isError, reason } of answers) {
        expect(reason === undefined).toBe(isError);
        expect(typeof result.error === 'string').toBe(isError);
        // They are told to the model and kept in the log.
        expect(JSON.parse(JSON.stringify(result))).toEqual(result);
      }
      // The reasons are all that happened: made again, they lead to the same people.
      const again = new Speakers(LABELS, wanted);
      for (const { reason } of answers) if (reason) expect(again.merge(reason.merged).ok).toBe(true);
      expect(again.mapping).toEqual(speakers.mapping);
    }),
  );
});

test('the same calls do the same: a run that is continued gets where it was', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 20 }), (calls) => {
      expect(answerMerges(new Speakers(LABELS, 2), calls)).toEqual(
        answerMerges(new Speakers(LABELS, 2), calls),
      );
    }),
  );
});

test('an endless reason is cut', () => {
  const calls = [
    {
      toolCallId: '1',
      toolName: 'merge_speakers',
      arguments: { speakers: ['A', 'B'], reason: 'x'.repeat(9000) },
    },
  ];
  const [answer] = answerMerges(new Speakers(LABELS, 1), calls);
  expect(answer?.reason?.reason).toHaveLength(2000);
});
