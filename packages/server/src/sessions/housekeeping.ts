import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Storage } from '../storage/types.ts';
import { utcDay } from '../storage/usage.ts';
import type { SteadyClock } from './steady-clock.ts';

/** The longest time that one timer can wait for. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const SLICE = 2000;
const RETRY_MS = 5000;
/** What becomes due in a stream of it is removed together, once in so much time. */
const PAUSE_MS = 1000;
/** Events of a run that has not ended stay, and so do those after them; so long after its end it is looked at them again. */
const BLOCKED_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** How long a call with an `Idempotency-Key` can be repeated, at least. */
const KEPT_ANSWERS_MS = DAY_MS;
/** How long it is known what a caller has used on a day. */
const KEPT_USAGE_MS = 400 * DAY_MS;
/** Files that nobody has written to for so long are left over. */
const STALE_FILES_MS = 60 * 60 * 1000;
/** Pieces of files at once; one is as large as many events. */
const FILE_SLICE = 64;

const NEVER = Number.POSITIVE_INFINITY;

export interface HousekeepingOptions {
  readonly storage: Storage;
  readonly clock: SteadyClock;
  /** Milliseconds after which the deltas of a completed message go. */
  readonly compactionMs: number;
  /** Milliseconds that events are kept; 0 = as long as their session. */
  readonly retentionMs: number;
  readonly report: (stage: string, error: unknown) => void;
}

interface Chore {
  readonly stage: string;
  /** Removes some of what is due; true while there is more. */
  readonly slice: () => Promise<boolean>;
  /** When there is something due again, as far as one can know now, or null. */
  readonly next: () => Promise<number | null>;
  /** `NEVER` when nothing waits. Never later than what becomes due first. */
  due: number;
  /** Not again before. */
  earliest: number;
}

/**
 * Removes what has had its time: deltas of completed messages, old events, old answers, old sums of usage, files that
 * were removed or never completed. One timer for whatever is due next, and none when nothing is there; several processes
 * may do it side by side.
 */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #compaction: Chore;
  readonly #pruning: Chore;
  readonly #answers: Chore;
  readonly #files: Chore;
  readonly #usage: Chore;
  #newestAnswer = 0;
  #timer: NodeJS.Timeout | null = null;
  #armed = NEVER;
  #working: Promise<void> | null = null;
  #stopped = true;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    const { storage, clock, compactionMs, retentionMs } = options;
    this.#compaction = chore(
      'compact events',
      () => storage.compactEvents(clock.now() - compactionMs, SLICE),
      async () => after(await storage.nextCompaction(), compactionMs),
    );
    this.#pruning = chore(
      'prune events',
      () => storage.pruneEvents(clock.now() - retentionMs, SLICE),
      async () => after(await storage.nextPrune(), retentionMs),
    );
    this.#answers = chore(
      'prune answers',
      () => storage.pruneIdempotency(clock.now() - KEPT_ANSWERS_MS, SLICE),
      async () => {
        const due = this.#newestAnswer + KEPT_ANSWERS_MS;
        return due > clock.now() ? due : null;
      },
    );
    this.#files = chore(
      'purge files',
      () => storage.files.purge(clock.now() - STALE_FILES_MS, FILE_SLICE),
      async () => after(await storage.files.nextPurge(), STALE_FILES_MS),
    );
    this.#usage = chore(
      'prune usage',
      () => storage.pruneUsage(utcDay(clock.now() - KEPT_USAGE_MS), SLICE),
      async () => {
        const oldest = await storage.oldestUsage();
        // From the first moment on at which the whole day is older.
        return oldest === null ? null : Date.parse(oldest) + DAY_MS + KEPT_USAGE_MS;
      },
    );
  }

  /** Also removes, soon, what became due while no process was there. */
  start(): void {
    this.#stopped = false;
    this.#newestAnswer = this.#options.clock.now();
    for (const chore of this.#chores) this.#plan(chore, 0);
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#working;
  }

  /** What is due next may have been left by another process, which is gone. Rejects when the storage fails. */
  async look(): Promise<void> {
    for (const chore of this.#chores) {
      const next = await chore.next();
      if (next !== null) this.#plan(chore, next);
    }
  }

  /** So many events were appended, among them the ends of so many messages that have deltas. */
  noticeEvents(events: number, streamed: number): void {
    const { clock, compactionMs, retentionMs } = this.#options;
    // What waits already is older.
    if (streamed > 0 && this.#compaction.due === NEVER) {
      this.#plan(this.#compaction, clock.now() + compactionMs);
    }
    if (events > 0 && retentionMs > 0 && this.#pruning.due === NEVER) {
      this.#plan(this.#pruning, clock.now() + retentionMs);
    }
  }

  /** A run has ended; events that are old enough may have waited for that. */
  noticeRunEnd(): void {
    const { clock, retentionMs } = this.#options;
    if (retentionMs > 0) this.#plan(this.#pruning, clock.now() + BLOCKED_MS);
    if (this.#usage.due === NEVER) this.#plan(this.#usage, clock.now() + KEPT_USAGE_MS);
  }

  /** An answer was kept. */
  noticeAnswer(): void {
    this.#newestAnswer = this.#options.clock.now();
    if (this.#answers.due === NEVER) this.#plan(this.#answers, this.#newestAnswer + KEPT_ANSWERS_MS);
  }

  /** A file was begun; whoever writes it may die. */
  noticeFile(): void {
    if (this.#files.due === NEVER) this.#plan(this.#files, this.#options.clock.now() + STALE_FILES_MS);
  }

  /** A file was removed; its bytes are there still. */
  noticeRemovedFile(): void {
    this.#plan(this.#files, 0);
  }

  get #chores(): readonly Chore[] {
    const { retentionMs } = this.#options;
    const pruning = retentionMs > 0 ? [this.#pruning] : [];
    return [this.#compaction, ...pruning, this.#answers, this.#files, this.#usage];
  }

  #plan(chore: Chore, at: number): void {
    chore.due = Math.min(chore.due, Math.max(at, chore.earliest));
    if (!this.#working) this.#arm();
  }

  #arm(): void {
    const due = Math.min(...this.#chores.map((chore) => chore.due));
    if (this.#stopped || due === NEVER || (this.#timer && due >= this.#armed)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#armed = due;
    const wait = Math.min(Math.max(due - this.#options.clock.now() + 1, 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#working = this.#work().finally(() => {
        this.#working = null;
        this.#arm();
      });
    }, wait);
    // The process may end while nothing but this is left to do.
    this.#timer.unref();
  }

  async #work(): Promise<void> {
    for (const chore of this.#chores) {
      if (chore.due <= this.#options.clock.now()) await this.#do(chore);
    }
  }

  /** In slices with the event loop free in between; later when the storage fails. Never rejects. */
  async #do(chore: Chore): Promise<void> {
    const { clock, report } = this.#options;
    // Before: what is noticed meanwhile is younger than what is removed.
    chore.due = NEVER;
    try {
      let began = clock.now();
      while (!this.#stopped && (await chore.slice())) {
        await nextTurn();
        began = clock.now();
      }
      const next = await chore.next();
      chore.earliest = clock.now() + PAUSE_MS;
      if (next !== null) this.#plan(chore, next < began ? began + BLOCKED_MS : next);
    } catch (error) {
      report(chore.stage, error);
      chore.earliest = clock.now() + RETRY_MS;
      this.#plan(chore, chore.earliest);
    }
  }
}

function chore(stage: string, slice: Chore['slice'], next: Chore['next']): Chore {
  return { stage, slice, next, due: NEVER, earliest: 0 };
}

function after(time: number | null, wait: number): number | null {
  return time === null ? null : time + wait;
}
