import type { Scope, SessionKey } from '../storage/types.ts';

interface Caller {
  /** Sessions that are ready, in the order in which they became so. */
  readonly ready: Map<string, SessionKey>;
  /** How many of its runs execute. */
  active: number;
}

/**
 * Sessions whose next run may start. Callers take turns, so that one with a thousand runs delays another one by one; and
 * none has more than its share at once, whatever else is free.
 */
export class FairQueue {
  readonly #shareOf: (caller: Scope) => number;
  readonly #callers = new Map<string, Caller>();
  readonly #ready = new Map<string, SessionKey>();
  /** Whose turn is next: callers that have something ready and room for it. */
  readonly #turns = new Map<string, Caller>();

  /** @param shareOf How many runs of a caller may execute at once. */
  constructor(shareOf: (caller: Scope) => number) {
    this.#shareOf = shareOf;
  }

  add(key: SessionKey): void {
    const id = callerOf(key);
    let caller = this.#callers.get(id);
    if (!caller) {
      caller = { ready: new Map(), active: 0 };
      this.#callers.set(id, caller);
    }
    caller.ready.set(key.sessionId, key);
    this.#ready.set(key.sessionId, key);
    if (caller.active < this.#shareOf(key)) this.#turns.set(id, caller);
  }

  /** Takes the next session; its caller has one more that executes, until `done`. */
  next(): SessionKey | undefined {
    const turn = this.#turns.entries().next();
    if (turn.done) return undefined;
    const [id, caller] = turn.value;
    this.#turns.delete(id);
    const [key] = caller.ready.values();
    if (!key) return undefined;
    caller.ready.delete(key.sessionId);
    this.#ready.delete(key.sessionId);
    caller.active++;
    if (caller.ready.size > 0 && caller.active < this.#shareOf(key)) this.#turns.set(id, caller);
    return key;
  }

  /** What was taken executes no more. */
  done(key: SessionKey): void {
    const id = callerOf(key);
    const caller = this.#callers.get(id);
    if (!caller) return;
    caller.active--;
    if (caller.ready.size > 0) this.#turns.set(id, caller);
    else if (caller.active === 0) this.#callers.delete(id);
  }

  /** The session is gone. */
  delete(sessionId: string): void {
    const key = this.#ready.get(sessionId);
    if (!key) return;
    this.#ready.delete(sessionId);
    const id = callerOf(key);
    const caller = this.#callers.get(id);
    caller?.ready.delete(sessionId);
    if (!caller || caller.ready.size > 0) return;
    this.#turns.delete(id);
    if (caller.active === 0) this.#callers.delete(id);
  }

  /** Nothing is ready any more; what executes is still counted. */
  clear(): void {
    this.#turns.clear();
    this.#ready.clear();
    for (const [id, caller] of this.#callers) {
      caller.ready.clear();
      if (caller.active === 0) this.#callers.delete(id);
    }
  }
}

function callerOf({ tenantId, ownerId }: Scope): string {
  return JSON.stringify([tenantId, ownerId]);
}
