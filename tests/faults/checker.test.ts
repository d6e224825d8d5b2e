import { expect, test } from 'vitest';
import { check } from './checker.ts';
import { History } from './history.ts';
import { Sample } from './sample.ts';

test('a correct history has no violations', () => {
  expect(new Sample().check({ allCompleted: true, caughtUp: ['c'] })).toEqual([]);
});

test('where nothing was done nothing is wrong', () => {
  expect(check(new History(), [])).toEqual([]);
});
