/** A difference as large as this between what two clocks say has passed is a step, not drift. */
const STEP_MS = 1000;

export interface ClockSources {
  /** Milliseconds since the Unix epoch. */
  readonly wall: () => number;
  /** Milliseconds since some moment; never set by anybody. */
  readonly monotonic: () => number;
}

/**
 * What deadlines in wall time are compared with. They are in wall time because they outlive the process. But that clock
 * can be set: a step forward is time that has not passed, and nobody may lose a session, or the time to answer a request,
 * by it. So the steps are taken off; those that come while the machine sleeps as well. A step backward only makes
 * deadlines late by as much, which harms nobody, so it does nothing but undo steps forward.
 */
export class SteadyClock {
  readonly #sources: ClockSources;
  #wall: number;
  #monotonic: number;
  #jumped = 0;

  constructor(sources: ClockSources = { wall: () => Date.now(), monotonic: () => performance.now() }) {
    this.#sources = sources;
    this.#wall = sources.wall();
    this.#monotonic = sources.monotonic();
  }

  /** Milliseconds since the Unix epoch, without the steps forward since the clock was made. */
  now(): number {
    const wall = this.#sources.wall();
    const monotonic = this.#sources.monotonic();
    const step = wall - this.#wall - (monotonic - this.#monotonic);
    if (Math.abs(step) > STEP_MS) this.#jumped = Math.max(0, this.#jumped + step);
    this.#wall = wall;
    this.#monotonic = monotonic;
    return wall - this.#jumped;
  }
}
