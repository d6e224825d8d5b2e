import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AuditStorage } from '../../storage/audit.ts';
import { sealDraft } from './chain.ts';
import type { Redact } from './clean.ts';
import { type Draft, draftOf } from './draft.ts';
import type { AuditEvent } from './event.ts';
import { AuditQueue } from './queue.ts';

/** Between two writes, so that a burst is one entry a second. The first event after a while is written at once. */
const INTERVAL_MS = 1000;
/** After writes that failed: doubled each time. */
const MAX_RETRY_MS = 30_000;
/** Entries of one transaction. */
const BATCH = 200;
/** Entries that may wait, and so what a storm from many sources adds in a second. */
const MAX_WAITING = 1000;
/** What a storage that does not answer may delay the end of the process. */
const MAX_CLOSE_MS = 5000;

export interface AuditLogOptions {
  readonly storage: AuditStorage;
  /** Each event is a line of it, too. */
  readonly logger: Logger;
  readonly report: (stage: string, error: unknown) => void;
  /** Takes out of texts the secrets that the server knows. */
  readonly redact: Redact;
  readonly now?: () => number;
  readonly intervalMs?: number;
  readonly maxWaiting?: number;
}

/** Security events: who did what, on what, when, from where, and how it ended. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #now: () => number;
  readonly #intervalMs: number;
  readonly #queue: AuditQueue;
  /** What a write has failed for; it is done again as it was. */
  #failed: Draft[] = [];
  readonly #awaited = new Map<Draft, PromiseWithResolvers<void>>();
  #timer: NodeJS.Timeout | null = null;
  #nextAt = 0;
  #failures = 0;
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.#queue = new AuditQueue(options.maxWaiting ?? MAX_WAITING);
  }

  /**
   * Never throws and waits for nothing. It is in the log of the process at once, and in the audit log within a second or
   * when the storage works again; what repeats itself meanwhile is one entry with a count.
   */
  record(event: AuditEvent): void {
    const draft = this.#draft(event);
    if (!draft) return;
    this.#queue.fold(draft);
    if (!this.#closing) this.#arm();
  }

  /**
   * Resolves when the entry is durable: for what must not happen without one. Rejects when it could not be written;
   * where the answer of the storage was lost, it may be there all the same.
   */
  async recordDurably(event: AuditEvent): Promise<void> {
    const draft = this.#draft(event);
    if (!draft) throw new TypeError('The audit event cannot be recorded');
    const written = Promise.withResolvers<void>();
    this.#awaited.set(draft, written);
    this.#queue.addAlone(draft);
    void this.flush();
    await written.promise;
  }

  /** Writes what is waiting. Never rejects: a failure is reported, and tried again. */
  flush(): Promise<void> {
    // A write that is going on may lack the newest events, so whoever asks meanwhile shares the one after it.
    this.#next ??= this.#last.then(() => {
      this.#next = null;
      return this.#write();
    });
    this.#last = this.#next;
    return this.#next;
  }

  /** Writes what is waiting a last time. Whatever is recorded from then on is in the log of the process only. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, MAX_CLOSE_MS);
    await Promise.race([
      this.flush().then(() => (this.#waiting > 0 ? this.flush() : undefined)),
      late.promise,
    ]);
    clearTimeout(timer);
    if (this.#timer) clearTimeout(this.#timer);
    const lost = this.#waiting;
    if (lost > 0) this.#options.report('audit', new Error(`${lost} audit entries could not be written`));
  }

  get #waiting(): number {
    return this.#failed.length + this.#queue.size;
  }

  #draft(event: AuditEvent): Draft | null {
    try {
      const draft = draftOf(event, this.#options.redact, this.#now());
      this.#options.logger.info({ audit: true, ...draft.fields }, 'audit');
      return draft;
    } catch (error) {
      this.#options.report('audit', error);
      return null;
    }
  }

  #arm(): void {
    if (this.#timer) return;
    const wait = Math.max(0, this.#nextAt - performance.now());
    this.#timer = setTimeout(() => void this.flush(), wait).unref();
  }

  async #write(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    // What comes meanwhile waits for the next time: written as it comes, a burst would not be folded.
    const batches = Math.ceil(this.#queue.size / BATCH) + (this.#failed.length > 0 ? 1 : 0);
    for (let index = 0; index < batches; index++) {
      // An embedded storage works in this thread: others get their turn between two batches.
      if (index > 0) await breathe();
      if (this.#failed.length === 0) this.#failed = this.#queue.take(BATCH);
      const batch = this.#failed;
      try {
        await this.#options.storage.append(batch, sealDraft);
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#failed = [];
      this.#failures = 0;
      for (const draft of batch) this.#settle(draft)?.resolve();
    }
    this.#nextAt = performance.now() + this.#intervalMs;
  }

  /** Those who wait are told; what nobody waits for is kept. */
  #fail(error: unknown): void {
    this.#options.report('audit', error);
    this.#failed = this.#failed.filter((draft) => !this.#awaited.has(draft));
    for (const draft of [...this.#awaited.keys()]) {
      this.#queue.delete(draft);
      this.#settle(draft)?.reject(error);
    }
    const wait = Math.min(MAX_RETRY_MS, this.#intervalMs * 2 ** this.#failures++);
    this.#nextAt = performance.now() + wait;
    if (this.#waiting > 0 && !this.#closing) this.#arm();
  }

  #settle(draft: Draft): PromiseWithResolvers<void> | undefined {
    const waiting = this.#awaited.get(draft);
    this.#awaited.delete(draft);
    return waiting;
  }
}
