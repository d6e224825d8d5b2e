/** Randomness that can be had again: `CHAOS_SEED=N` repeats what a test printed, `CHAOS_ROUNDS=N` goes on for longer. */
import { randomInt } from 'node:crypto';

export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** At least 0, less than 1. Mulberry32: short, and even enough to choose moments. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new RangeError('nothing to pick from');
    return values[this.int(0, values.length - 1)] as T;
  }

  /** A generator of its own, so that what one part draws does not depend on how often another one draws. */
  fork(): Random {
    return new Random(this.int(0, 0xffff_ffff));
  }
}

export function chaosRandom(env: Record<string, string | undefined> = process.env): Random {
  return new Random(env.CHAOS_SEED ? positive('CHAOS_SEED', env.CHAOS_SEED) : randomInt(2 ** 32));
}

export function chaosRounds(fallback: number, env: Record<string, string | undefined> = process.env): number {
  return env.CHAOS_ROUNDS ? positive('CHAOS_ROUNDS', env.CHAOS_ROUNDS) : fallback;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} is no whole number: ${text}`);
  return value;
}
