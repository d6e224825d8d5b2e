import { expect, test } from 'vitest';
import { chaosRandom, chaosRounds, Random } from './random.ts';

const draw = (random: Random) => Array.from({ length: 50 }, () => random.int(0, 1_000_000));

test('the same seed draws the same, another one something else', () => {
  expect(draw(new Random(7))).toEqual(draw(new Random(7)));
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)));
});

test('numbers are spread over all of their range, ends included', () => {
  const random = new Random(1);
  const counts = new Map<number, number>();
  for (let n = 0; n < 10_000; n++) {
    const value = random.int(3, 12);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  expect([...counts.keys()].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(200);
});

test('a fork draws by itself', () => {
  const [one, two] = [new Random(7), new Random(7)];
  const [fork, same] = [one.fork(), two.fork()];
  draw(fork);
  expect(draw(one)).toEqual(draw(two));
  expect(fork.seed).toBe(same.seed);
  expect(fork.seed).not.toBe(one.seed);
});

test('seed and rounds come from the environment; without them the seed is another one each time', () => {
  expect(chaosRandom({ CHAOS_SEED: '42' }).seed).toBe(42);
  expect(chaosRounds(20, { CHAOS_ROUNDS: '200' })).toBe(200);
  expect(chaosRounds(20, {})).toBe(20);
  expect(() => chaosRandom({ CHAOS_SEED: 'x' })).toThrow('CHAOS_SEED');
  expect(new Set(Array.from({ length: 5 }, () => chaosRandom({}).seed)).size).toBeGreaterThan(1);
});
