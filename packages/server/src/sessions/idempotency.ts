import { ApiError, type Json } from '@llmgine/protocol';
import type { IdempotencyRecord, Scope, Storage } from '../storage/types.ts';

/** What a call is answered; it is stored as JSON. */
export interface CallAnswer<Body> {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** One call that its caller may repeat. */
export interface RepeatableCall {
  readonly scope: Scope;
  /** What the caller chose, and where it was used. */
  readonly key: string;
  /** Digest of what was asked. */
  readonly bodyHash: string;
}

/** Makes the record of an answer, to be written in the transaction of what the call did. */
export type KeepAnswer<Body> = (answer: CallAnswer<Body>) => IdempotencyRecord;

/** Seconds after which a caller may ask again for the answer to a call that is still running. */
const RETRY_AFTER = 1;

/**
 * Calls that do what they do once, however often they come. The first leaves a record with what it changed; the others
 * are answered from it. A call that was refused has changed nothing, so it leaves none.
 */
export class Idempotency {
  readonly #storage: Storage;
  readonly #onKept: () => void;
  /** The digests of the calls that are running here, by scope and key. */
  readonly #running = new Map<string, string>();

  constructor(storage: Storage, onKept: () => void) {
    this.#storage = storage;
    this.#onKept = onKept;
  }

  /**
   * Answers from the record, or acts. `act` MUST write the record that `keep` makes in the transaction of what it does,
   * and MUST fail when there is one already. Throws `IDEMPOTENCY_MISMATCH` for another body, `IDEMPOTENCY_IN_PROGRESS` as
   * long as the first call is running, and what `act` throws.
   */
  async run<Body extends Json>(
    call: RepeatableCall,
    act: (keep: KeepAnswer<Body>) => Promise<CallAnswer<Body>>,
  ): Promise<CallAnswer<Body> & { readonly replayed: boolean }> {
    const id = JSON.stringify([call.scope.tenantId, call.scope.ownerId, call.key]);
    const running = this.#running.get(id);
    if (running !== undefined) {
      if (running !== call.bodyHash) throw mismatch();
      throw new ApiError('IDEMPOTENCY_IN_PROGRESS', undefined, { retryAfter: RETRY_AFTER });
    }
    this.#running.set(id, call.bodyHash);
    try {
      return (await this.#find<Body>(call)) ?? (await this.#first(call, act));
    } finally {
      this.#running.delete(id);
    }
  }

  async #first<Body>(
    call: RepeatableCall,
    act: (keep: KeepAnswer<Body>) => Promise<CallAnswer<Body>>,
  ): Promise<CallAnswer<Body> & { readonly replayed: boolean }> {
    try {
      const answer = await act((answer) => record(call, answer));
      this.#onKept();
      return { ...answer, replayed: false };
    } catch (error) {
      // Another process may have been first, and then what it did is why this one failed.
      const found = await this.#find<Body>(call);
      if (found) return found;
      throw error;
    }
  }

  async #find<Body>(call: RepeatableCall): Promise<(CallAnswer<Body> & { readonly replayed: true }) | null> {
    const found = await this.#storage.getIdempotency(call.scope, call.key);
    if (!found) return null;
    if (found.bodyHash !== call.bodyHash) throw mismatch();
    return { ...(JSON.parse(found.response) as CallAnswer<Body>), replayed: true };
  }
}

function record<Body>({ scope, key, bodyHash }: RepeatableCall, answer: CallAnswer<Body>): IdempotencyRecord {
  const { tenantId, ownerId } = scope;
  return {
    tenantId,
    ownerId,
    idempotencyKey: key,
    bodyHash,
    response: JSON.stringify(answer),
    createdAt: Date.now(),
  };
}

function mismatch(): ApiError {
  return new ApiError('IDEMPOTENCY_MISMATCH', 'This Idempotency-Key was used before with another body');
}
