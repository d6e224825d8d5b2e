/** RequestService: what runs ask people, and what becomes of it. */
import {
  ANSWERS,
  type Answer,
  type AnswerOutcome,
  ApiError,
  type InputRequest,
  type Json,
  type RequestOutcome,
} from '@llmgine/protocol';
import { canonicalJson } from '../sessions/canonical-json.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import { decodePageCursor, encodePageCursor } from '../sessions/page-cursor.ts';
import { toRequest } from '../sessions/request-view.ts';
import type {
  AppendOutcome,
  IdempotencyRecord,
  RequestRow,
  Resolution,
  SessionKey,
  Storage,
} from '../storage/types.ts';
import { checkAnswer } from '../validation/json-schema.ts';

export interface RequestServiceOptions {
  readonly storage: Storage;
  readonly log: SessionLog;
  /** Milliseconds since the Unix epoch, to compare deadlines with. */
  readonly now: () => number;
  /** The session may have a run that can go on. */
  readonly onResolved: (key: SessionKey) => void;
}

export interface Accepted {
  readonly request_id: string;
  readonly outcome: AnswerOutcome;
}

/** How long a client may take for a tool that it has claimed, before somebody else may claim it. */
const CLAIM_MS = 30_000;
/** How often answering looks again when the request changes at the same moment. */
const ATTEMPTS = 5;

export class RequestService {
  readonly #options: RequestServiceOptions;

  constructor(options: RequestServiceOptions) {
    this.#options = options;
  }

  /** Newest first. */
  async list(
    key: SessionKey,
    query: {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly status?: InputRequest['status'] | undefined;
    },
  ): Promise<{ requests: InputRequest[]; next: string | null }> {
    const before = decodePageCursor('requests', query.cursor);
    const page = await this.#options.storage.listRequests(key, {
      limit: query.limit,
      ...(before === undefined ? {} : { before }),
      ...(query.status === undefined ? {} : { pending: query.status === 'pending' }),
    });
    return {
      requests: page.requests.map(toRequest),
      next: page.next === null ? null : encodePageCursor('requests', page.next),
    };
  }

  /** Throws `REQUEST_NOT_FOUND`. */
  async get(key: SessionKey, requestId: string): Promise<InputRequest> {
    return toRequest(await this.#find(key, requestId));
  }

  /**
   * Answers a request; the first answer wins, and it is durable when this resolves. The same answer again, by the same
   * principal, is the same as once. `onAccepted` is called before any subscriber sees that it was answered. Throws
   * `REQUEST_NOT_FOUND`, `REQUEST_EXPIRED`, `REQUEST_ALREADY_ANSWERED`, and `VALIDATION_ERROR` for an answer that the
   * request does not take.
   */
  async answer(
    key: SessionKey,
    requestId: string,
    answer: Answer,
    options: {
      readonly by: string;
      readonly idempotency?: IdempotencyRecord | undefined;
      readonly onAccepted?: (accepted: Accepted) => void;
    },
  ): Promise<Accepted> {
    const { by, idempotency, onAccepted } = options;
    const accepted = { request_id: requestId, outcome: answer.outcome };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const row = await this.#find(key, requestId);
      const value = this.#check(row, answer);
      const reason = answer.reason ?? null;
      if (row.resolution) {
        const same = isSame(row.resolution, { outcome: answer.outcome, by, value, reason });
        if (!same) throw alreadyResolved(row.resolution);
        onAccepted?.(accepted);
        return accepted;
      }
      const at = Date.now();
      if (row.expiresAt <= this.#options.now()) {
        await this.expire(row);
        continue;
      }
      const resolution = { outcome: answer.outcome, by, value, reason, at };
      const outcome = await this.#resolve(row, resolution, {
        touch: true,
        idempotency,
        onCommitted: () => onAccepted?.(accepted),
      });
      if (outcome.ok) return accepted;
      if (outcome.reason === 'session_not_found') throw new ApiError('SESSION_NOT_FOUND');
      if (outcome.reason === 'idempotency_exists') throw new ApiError('IDEMPOTENCY_IN_PROGRESS');
    }
    throw new ApiError('UNAVAILABLE', 'The request cannot be answered right now', { retryAfter: 1 });
  }

  /**
   * Claims a client tool for one client, for 30 seconds; the same client may claim it again. Throws `REQUEST_NOT_FOUND`,
   * `REQUEST_EXPIRED`, `REQUEST_ALREADY_ANSWERED` also when somebody else has claimed it, and `VALIDATION_ERROR` for a
   * request of another kind.
   */
  async claim(
    key: SessionKey,
    requestId: string,
    client: string,
  ): Promise<{ request_id: string; expires_at: string }> {
    const row = await this.#find(key, requestId);
    if (row.kind !== 'client_tool') {
      throw new ApiError(
        'VALIDATION_ERROR',
        `Only a client_tool can be claimed; this is a request of kind ${row.kind}`,
      );
    }
    if (row.resolution) throw alreadyResolved(row.resolution);
    const at = Date.now();
    const until = at + CLAIM_MS;
    const outcome = await this.#options.log.append({
      session: key,
      events: [],
      touchedAt: at,
      writes: [{ kind: 'claim_request', requestId, by: client, at, until }],
    });
    if (outcome.ok) return { request_id: requestId, expires_at: new Date(until).toISOString() };
    if (outcome.reason === 'session_not_found') throw new ApiError('SESSION_NOT_FOUND');
    const claimed = outcome.reason === 'request_claimed';
    throw new ApiError(
      'REQUEST_ALREADY_ANSWERED',
      claimed ? 'Another client has claimed the request' : undefined,
    );
  }

  /** It was not answered in time. Does nothing when it is resolved. */
  async expire(row: RequestRow): Promise<void> {
    const resolution = {
      outcome: 'expired' as const,
      by: 'system',
      value: undefined,
      reason: null,
      at: Date.now(),
    };
    await this.#resolve(row, resolution, { touch: false });
  }

  async #resolve(
    row: RequestRow,
    resolution: Resolution,
    options: {
      readonly touch: boolean;
      readonly idempotency?: IdempotencyRecord | undefined;
      readonly onCommitted?: () => void;
    },
  ): Promise<AppendOutcome> {
    const { requestId, runId } = row;
    const { outcome, by, at } = resolution;
    const { tenantId, ownerId, sessionId } = row;
    const session = { tenantId, ownerId, sessionId };
    const result = await this.#options.log.append(
      {
        session,
        events: [newEvent('input_resolved', runId, { request_id: requestId, by, outcome }, at)],
        writes: [{ kind: 'resolve_request', requestId, resolution }],
        ...(options.touch ? { touchedAt: at } : {}),
        ...(options.idempotency ? { idempotency: options.idempotency } : {}),
      },
      (committed) => {
        if (committed.ok) options.onCommitted?.();
      },
    );
    // The run may be continued, and this process looks after it.
    if (result.ok) this.#options.onResolved(session);
    return result;
  }

  /** The value that counts. Throws `VALIDATION_ERROR`. */
  #check({ kind, schema }: RequestRow, { outcome, value }: Answer): Json | undefined {
    if (!ANSWERS[kind].includes(outcome)) {
      const message = `a request of kind ${kind} is answered with ${ANSWERS[kind].join(' or ')}`;
      throw new ApiError('VALIDATION_ERROR', `outcome: ${message}`, {
        errors: [{ path: 'outcome', message }],
      });
    }
    // An approval is for what was asked, and a refusal is none.
    if (outcome !== 'submitted') return undefined;
    if (schema) checkAnswer(schema, value);
    return value;
  }

  async #find(key: SessionKey, requestId: string): Promise<RequestRow> {
    const row = await this.#options.storage.getRequest(key, requestId);
    if (!row) throw new ApiError('REQUEST_NOT_FOUND');
    return row;
  }
}

function isSame(resolution: Resolution, answer: Omit<Resolution, 'at'>): boolean {
  const essence = ({ outcome, by, value, reason }: Omit<Resolution, 'at'>) =>
    canonicalJson([outcome, by, value ?? null, reason]);
  return essence(resolution) === essence(answer);
}

function alreadyResolved({ outcome }: { readonly outcome: RequestOutcome }): ApiError {
  if (outcome === 'expired') return new ApiError('REQUEST_EXPIRED');
  if (outcome === 'cancelled') return new ApiError('REQUEST_EXPIRED', 'The run that asked has ended');
  return new ApiError('REQUEST_ALREADY_ANSWERED');
}
