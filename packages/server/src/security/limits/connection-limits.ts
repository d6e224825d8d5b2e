import { ApiError } from '@llmgine/protocol';
import type { Principal } from '../principal.ts';
import { callerOf } from './caller.ts';

/** Seconds a client should wait before it tries again; when a connection is closed, nobody knows. */
const FULL_RETRY_AFTER = 10;

/** How many connections each caller and each source has open. What is counted here is open, so the maps are bounded by it. */
export class ConnectionLimits {
  readonly #perCaller: number;
  readonly #perSource: number;
  readonly #callers = new Map<string, number>();
  readonly #sources = new Map<string, number>();

  constructor(options: { readonly perCaller: number; readonly perSource: number }) {
    this.#perCaller = options.perCaller;
    this.#perSource = options.perSource;
  }

  /**
   * Counts one more connection; the function takes it off again, once. Callers on the same machine have no limit. Throws
   * `RESOURCE_LIMIT_EXCEEDED`.
   */
  open(principal: Principal, source: string): () => void {
    if (principal.local) return () => {};
    const caller = callerOf(principal);
    if ((this.#callers.get(caller) ?? 0) >= this.#perCaller) {
      throw full(`A caller has at most ${this.#perCaller} connections`);
    }
    if ((this.#sources.get(source) ?? 0) >= this.#perSource) {
      throw full(`At most ${this.#perSource} connections come from one address`);
    }
    add(this.#callers, caller, 1);
    add(this.#sources, source, 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      add(this.#callers, caller, -1);
      add(this.#sources, source, -1);
    };
  }
}

function full(message: string): ApiError {
  return new ApiError('RESOURCE_LIMIT_EXCEEDED', message, { retryAfter: FULL_RETRY_AFTER });
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
