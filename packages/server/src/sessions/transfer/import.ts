import { ApiError } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type {
  EngineRow,
  IdempotencyRecord,
  ImportedMessage,
  NewSession,
  Scope,
  SessionKey,
  SessionRow,
} from '../../storage/types.ts';
import { newSessionId } from '../session-id.ts';
import { fromForkOrigin } from './fork-origin.ts';
import { type ImportedMessageLine, type ImportedSessionLine, ImportLines } from './import-lines.ts';
import { LineSplitter } from './line-splitter.ts';
import type { TransferOptions } from './options.ts';

/** Messages, and about as many bytes, that are committed together. */
const MAX_BATCH = 200;
const MAX_BATCH_BYTES = 262_144;
/** How long what has come is kept when nothing more comes. */
const KEEP_MS = 600_000;
const RENEW_MS = 60_000;
/** Whoever is slower than this has a place that others wait for, and could have it for ever. */
const LEAST_BYTES_PER_SECOND = 16_384;
const FREE_MS = 60_000;

/**
 * A session on its way in: what has come is in the storage, where nobody finds it before all of it is there and right.
 * Its messages get new places in a new log. Events are counted and not kept: they tell what another log saw happen, of
 * runs and requests that are not here, and a file can claim anything.
 */
export class SessionImport {
  readonly #options: TransferOptions;
  readonly #key: SessionKey;
  readonly #epoch = nanoid(12);
  readonly #splitter: LineSplitter;
  readonly #lines = new ImportLines();
  readonly #onSettled: () => void;
  readonly #begunAt = Date.now();
  #received = 0;
  #session: ImportedSessionLine | null = null;
  #engine: EngineRow | null = null;
  #batch: ImportedMessage[] = [];
  #batchBytes = 0;
  #place = { seq: 0, acceptedSeq: 0, runId: null as string | null };
  #begun = false;
  #keptUntil = 0;
  #settled = false;

  constructor(options: TransferOptions, { tenantId, ownerId }: Scope, onSettled: () => void) {
    this.#options = options;
    this.#key = { tenantId, ownerId, sessionId: newSessionId() };
    this.#splitter = new LineSplitter(options.maxLine);
    this.#onSettled = onSettled;
  }

  /**
   * Takes bytes of the file; one call at a time. Throws `MESSAGE_TOO_LARGE`, `INVALID_JSON` and `VALIDATION_ERROR` for what
   * is no export, `UNAVAILABLE` when they come too slowly, and what making its engine throws.
   */
  async write(bytes: Uint8Array): Promise<void> {
    const { maxImportSize } = this.#options;
    this.#received += bytes.length;
    if (this.#received > maxImportSize) throw importTooLarge(maxImportSize);
    const takesMs = Date.now() - this.#begunAt;
    if (takesMs - FREE_MS > (this.#received * 1000) / LEAST_BYTES_PER_SECOND) throw tooSlow();
    for (const line of this.#splitter.take(bytes)) await this.#take(line);
    if (this.#begun && this.#keptUntil - KEEP_MS + RENEW_MS < Date.now()) await this.#flush();
  }

  /**
   * All bytes have come: the session is there when it resolves. `keep` makes the record of what the caller is answered.
   * Throws what `write` throws, `VALIDATION_ERROR` for a file that was cut off, `RESOURCE_LIMIT_EXCEEDED`, and
   * `IDEMPOTENCY_IN_PROGRESS` when there is a record already.
   */
  async end(keep?: (sessionId: string) => IdempotencyRecord | undefined): Promise<SessionRow> {
    const rest = this.#splitter.rest();
    if (rest) await this.#take(rest);
    this.#lines.end();
    await this.#flush();
    const { storage, sessions } = this.#options;
    const session = this.#newSession();
    const record = keep?.(session.sessionId);
    const row = await sessions.adopt(session, this.#place.seq, async (room) => {
      const made = await storage.transfers.complete(session, this.#place.seq, room, record);
      if (made === 'not_there') throw gone();
      return made;
    });
    this.#settle();
    return row;
  }

  /** Nothing of it is left when it resolves, unless it has ended already. Never rejects. */
  async abort(): Promise<void> {
    if (this.#settled) return;
    const { storage, sessions, report } = this.#options;
    try {
      if (!this.#begun) return;
      await storage.transfers.abandon(this.#key);
      sessions.purge();
    } catch (error) {
      report('abandon an import', error);
    } finally {
      this.#settle();
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const line = this.#lines.read(bytes, this.#splitter.number);
    if (line?.type === 'session') await this.#begin(line);
    if (line?.type !== 'message') return;
    this.#add(line);
    this.#batchBytes += bytes.length;
    if (this.#batch.length >= MAX_BATCH || this.#batchBytes >= MAX_BATCH_BYTES) await this.#flush();
  }

  async #begin(line: ImportedSessionLine): Promise<void> {
    const { storage, engines } = this.#options;
    this.#session = line;
    if (line.engine) {
      this.#engine = await engines.create(line.engine.engine_type, line.engine.engine_config);
    }
    this.#begun = true;
    this.#keptUntil = Date.now() + KEEP_MS;
    await storage.transfers.begin(this.#key, this.#epoch, this.#keptUntil);
  }

  /** Messages of one run stand together, so the run begins where the first of them does. */
  #add({ type: _, ...message }: ImportedMessageLine): void {
    const { seq, acceptedSeq, runId } = this.#place;
    const goesOn = message.run_id !== null && message.run_id === runId;
    this.#place = {
      seq: seq + 1,
      acceptedSeq: goesOn ? acceptedSeq : seq + 1,
      runId: message.run_id,
    };
    this.#batch.push({ seq: this.#place.seq, acceptedSeq: this.#place.acceptedSeq, message });
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#keptUntil = Date.now() + KEEP_MS;
    if (!(await this.#options.storage.transfers.add(this.#key, batch, this.#keptUntil))) throw gone();
  }

  #newSession(): NewSession {
    const line = this.#session;
    const engine = this.#engine;
    return {
      ...this.#key,
      epoch: this.#epoch,
      name: line?.name ?? null,
      metadata: line?.metadata ?? {},
      createdAt: Date.now(),
      engine,
      events: engine ? [this.#options.engines.linkedEvent(engine)] : [],
      forkedFrom: line?.forked_from ? fromForkOrigin(line.forked_from) : null,
    };
  }

  #settle(): void {
    this.#settled = true;
    this.#onSettled();
  }
}

export function importTooLarge(maxImportSize: number): ApiError {
  return new ApiError('MESSAGE_TOO_LARGE', `An import has at most ${maxImportSize} bytes`);
}

function gone(): ApiError {
  return new ApiError('UNAVAILABLE', 'The import took too long; send it again');
}

function tooSlow(): ApiError {
  return new ApiError('UNAVAILABLE', 'The import comes too slowly; send it again');
}
