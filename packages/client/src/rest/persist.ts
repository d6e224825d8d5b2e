import { Backoff } from '../connection/backoff.ts';
import { LlmgineError } from '../errors.ts';
import { sleep } from './transport.ts';

/** Milliseconds. */
const WAITS = { firstMs: 250, maxMs: 15_000 };

/** Makes a call until it is answered: errors that may pass are waited out. Rejects with others, and the signal's reason. */
export async function persist<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const backoff = new Backoff(WAITS);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof LlmgineError) || !error.retryable) throw error;
      await sleep(Math.max(error.retryAfterMs ?? 0, backoff.next()), signal);
    }
  }
}
