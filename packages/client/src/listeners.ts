/** Who listens to what happens in a session. */
import type { ServerFrameData, SessionEvent } from '@llmgine/protocol/wire';
import type { LlmgineError } from './errors.ts';
import { type ReportError, tellAll } from './report.ts';

/** What a session tells of besides the events of its log. */
export interface Signals {
  /** Events before this cursor were missed and cannot be had any more: load what is shown anew. */
  resync: { readonly cursor: string };
  /** From a back end of the application. */
  notification: ServerFrameData<'notification'>;
  /** The server complains about something that nobody waits for. */
  error: LlmgineError;
}

type Listener = (value: never) => unknown;

export class Listeners {
  readonly #byType = new Map<string, Set<Listener>>();
  readonly #report: ReportError;

  constructor(report: ReportError) {
    this.#report = report;
  }

  /** Returns what ends it. */
  on(type: string, listener: Listener): () => void {
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#byType.get(type) === listeners) this.#byType.delete(type);
    };
  }

  event(event: SessionEvent): void {
    this.#tell(event.event_type, event);
    this.#tell('*', event);
  }

  tell<S extends keyof Signals>(signal: S, value: Signals[S]): void {
    this.#tell(signal, value);
  }

  #tell(type: string, value: unknown): void {
    const listeners = this.#byType.get(type);
    if (listeners) tellAll(listeners as Set<(value: unknown) => unknown>, this.#report, value);
  }
}
