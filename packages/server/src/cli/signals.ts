/** The signals that stop a server. */
import type { EventEmitter } from 'node:events';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/**
 * A terminal sends Ctrl-C to everything in it, and `npm start` hands it on to the server as well: the same signal again
 * within this time is the same wish.
 */
const ECHO_MS = 1000;

export interface StopSignals {
  /** Resolves with the first signal. */
  readonly first: Promise<StopSignal>;
  /** Resolves with the next one that is no echo of the first. */
  readonly second: Promise<StopSignal>;
}

/** For the rest of the process: without a listener, an echo that comes while it exits would look like a crash. */
export function listenForSignals(
  source: Pick<EventEmitter, 'on'> = process,
  now: () => number = performance.now.bind(performance),
): StopSignals {
  const first = Promise.withResolvers<StopSignal>();
  const second = Promise.withResolvers<StopSignal>();
  let seen: { readonly signal: StopSignal; readonly at: number } | undefined;
  const onSignal = (signal: StopSignal) => {
    if (seen === undefined) {
      seen = { signal, at: now() };
      first.resolve(signal);
    } else if (signal !== seen.signal || now() - seen.at >= ECHO_MS) {
      second.resolve(signal);
    }
  };
  for (const signal of STOP_SIGNALS) source.on(signal, onSignal);
  return { first: first.promise, second: second.promise };
}
