import { untilAborted } from '../models/until-aborted.ts';

/** Holds a scripted answer until the test has done what it wants to do meanwhile. It is shut until `open`, and then stays open. */
export class Gate {
  readonly #reached = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();

  /** Resolves when an answer has come to it. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  open(): void {
    this.#opened.resolve();
  }

  /** Resolves when it is open; rejects with the reason of the signal. */
  pass(signal: AbortSignal): Promise<void> {
    this.#reached.resolve();
    return untilAborted(this.#opened.promise, signal);
  }
}
