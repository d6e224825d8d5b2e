import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SteadyClock } from '../../src/sessions/steady-clock.ts';

const HOUR = 3_600_000;

/** A clock whose time passes, and whose wall clock is set, when the test says so. */
function testClock() {
  const time = { wall: 1_000_000_000_000, monotonic: 5 };
  const clock = new SteadyClock({ wall: () => time.wall, monotonic: () => time.monotonic });
  const start = time.wall;
  return {
    /** Milliseconds since the start, as the clock sees it. */
    elapsed: () => clock.now() - start,
    pass: (ms: number) => {
      time.wall += ms;
      time.monotonic += ms;
    },
    set: (ms: number) => {
      time.wall += ms;
    },
  };
}

test('time passes as it does', () => {
  const { elapsed, pass } = testClock();
  pass(HOUR);
  expect(elapsed()).toBe(HOUR);
});

test('a step forward is no time, and steps add up', () => {
  const { elapsed, pass, set } = testClock();
  set(HOUR);
  pass(100);
  expect(elapsed()).toBe(100);
  set(2 * HOUR);
  expect(elapsed()).toBe(100);
  pass(HOUR);
  expect(elapsed()).toBe(HOUR + 100);
});

test('a step that is taken back leaves nothing behind', () => {
  const { elapsed, pass, set } = testClock();
  set(HOUR);
  expect(elapsed()).toBe(0);
  set(-HOUR);
  pass(100);
  expect(elapsed()).toBe(100);
});

test('a clock that drifts is followed', () => {
  const { elapsed, pass, set } = testClock();
  for (let minute = 0; minute < 60; minute++) {
    pass(60_000);
    set(50);
    elapsed();
  }
  expect(elapsed()).toBe(HOUR + 60 * 50);
});

test('whatever is done to the wall clock, no more time passes than did', () => {
  const change = fc.record({
    pass: fc.integer({ min: 0, max: 10 * HOUR }),
    set: fc.integer({ min: -10 * HOUR, max: 10 * HOUR }),
  });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const { elapsed, pass, set } = testClock();
      let passed = 0;
      for (const change of changes) {
        pass(change.pass);
        set(change.set);
        passed += change.pass;
        // What is no step is drift, which is at most so much at each look.
        passed += 1000;
        expect(elapsed()).toBeLessThanOrEqual(passed);
      }
    }),
  );
});
