import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { withReplaces } from '../log-event.ts';
import type { Append, AppendOutcome } from '../types.ts';
import { flushBatch } from './append-flush.ts';
import { answerName, findSession, loadBatch } from './append-load.ts';
import type { Database } from './database.ts';
import type { BatchDraft, SessionDraft } from './draft.ts';
import { isTransient, violates } from './errors.ts';
import { eventColumns } from './event-row.ts';
import { IDEMPOTENCY_KEY, idempotencyColumns } from './idempotency.ts';
import type { Schema } from './schema.ts';
import { scopeColumns } from './session-row.ts';
import { decode, encode, indexed } from './text.ts';
import { type AppendDraft, applyWrites } from './writes.ts';

const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 500;
/** How much longer than for anything else it is looked whether a batch was committed: its events are told of by nobody else. */
const DOUBT_FACTOR = 3;

/**
 * The hot path: five statements, whatever the number of deltas.
 *
 * A batch is tried again when a connection dies or a lock is not free. Each has a number, and its transaction writes it and
 * the outcomes into the row of this process. When the answer to a commit was lost, the next try finds the number there and
 * answers with what was committed. It waits for a commit that is still under way, because that holds the lock of the row:
 * nobody sends `commit` before it has written there. A batch that was given up is not tried again, and if it was
 * committed after all its number is another than that of the batches after it.
 */
export class Appends {
  readonly #database: Database;
  #batches = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  /** One after the other: of a process, the database remembers one batch. */
  apply(batch: readonly Append[], boot: number): Promise<readonly AppendOutcome[]> {
    const applied = this.#last.then(() => this.#apply(batch, boot));
    this.#last = applied.catch(() => {});
    return applied;
  }

  /** `boot` stays the same for all tries, whatever becomes of the lease meanwhile: it is where they find the number. */
  async #apply(batch: readonly Append[], boot: number): Promise<readonly AppendOutcome[]> {
    if (batch.length === 0) return [];
    const number = ++this.#batches;
    const began = performance.now();
    /** A try came as far as its commit, and no later one has seen what became of it. */
    let isDoubtful = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#database.transaction(async (db) => {
          const committed = attempt > 0 && (await findCommitted(db, boot, number));
          if (committed) return committed;
          isDoubtful = false;
          const outcomes = await applyBatch(db, batch, boot, number);
          isDoubtful = true;
          return outcomes;
        });
      } catch (error) {
        // Another process may have kept an answer of the same key in between.
        if (!isTransient(error) && !violates(error, IDEMPOTENCY_KEY)) throw error;
        const wait = Math.min(FIRST_DELAY_MS * 2 ** attempt, MAX_DELAY_MS) * (0.5 + Math.random() / 2);
        const patience = this.#database.timeoutMs * (isDoubtful ? DOUBT_FACTOR : 1);
        if (performance.now() + wait >= began + patience) throw error;
        await delay(wait);
      }
    }
  }
}

async function findCommitted(
  db: Transaction<Schema>,
  boot: number,
  batch: number,
): Promise<readonly AppendOutcome[] | false> {
  const row = await db
    .selectFrom('batches')
    .selectAll()
    .where('boot', '=', boot)
    .forUpdate()
    .executeTakeFirst();
  return row?.batch === batch && (JSON.parse(row.outcomes) as AppendOutcome[]);
}

async function applyBatch(
  db: Transaction<Schema>,
  batch: readonly Append[],
  boot: number,
  number: number,
): Promise<readonly AppendOutcome[]> {
  const draft = await loadBatch(db, batch, boot);
  const outcomes = batch.map((append) => apply(draft, append));
  if (outcomes.some(({ ok }) => ok)) {
    await flushBatch(db, draft, { batch: number, outcomes: JSON.stringify(outcomes) });
  }
  return outcomes;
}

function apply(batch: BatchDraft, append: Append): AppendOutcome {
  const session = findSession(batch.sessions, append);
  if (!session) return { ok: false, reason: 'session_not_found' };
  const epoch = decode(session.epoch);
  if (append.fence && !isOurs(batch, session, append.fence)) return { ok: false, reason: 'fenced' };
  const answer = append.idempotency && idempotencyColumns(append.idempotency);
  if (answer && batch.answered.has(answerName(answer))) return { ok: false, reason: 'idempotency_exists' };
  const repeated = repeatedEvent(session, append);
  if (repeated) return { ok: false, reason: 'event_exists', epoch, ...repeated };

  const head = session.now.headSeq;
  const state: AppendDraft = {
    batch,
    session,
    owner: scopeColumns(append.session),
    firstSeq: append.events.length > 0 ? head + 1 : head,
    position: undefined,
    granted: undefined,
    exceeded: undefined,
    spent: [],
    replaced: [],
  };
  if (append.writes && append.writes.length > 0) {
    const refused = session.attempt(() => applyWrites(state, append));
    if (refused) {
      return { ok: false, reason: refused, ...(state.exceeded ? { exceeded: state.exceeded } : {}) };
    }
    for (const change of state.spent) batch.days.add({ ...state.owner, day: change.day }, change);
  }
  addEvents(state, append);
  if (answer) {
    batch.answered.add(answerName(answer));
    batch.answers.push(answer);
  }
  const { now } = session;
  now.lastInteractionAt = Math.max(now.lastInteractionAt, append.touchedAt ?? 0);
  return {
    ok: true,
    epoch,
    firstSeq: state.firstSeq,
    lastSeq: now.headSeq,
    ...(state.position === undefined ? {} : { position: state.position }),
    ...(state.granted === undefined ? {} : { granted: state.granted }),
    ...(state.replaced.length === 0 ? {} : { replaced: state.replaced }),
  };
}

function isOurs(batch: BatchDraft, { now }: SessionDraft, fence: NonNullable<Append['fence']>): boolean {
  const run = now.runs.get(encode(fence.runId));
  if (!batch.alive || run?.status !== 'running') return false;
  return run.boot === batch.boot && run.attempt === fence.attempt;
}

function addEvents({ batch, session, replaced }: AppendDraft, { events, fence }: Append): void {
  const { position, now } = session;
  for (const [index, event] of events.entries()) {
    const seq = ++now.headSeq;
    const deltas = replaced.find(({ eventIndex }) => eventIndex === index);
    const payload = deltas ? withReplaces(event.payload, deltas) : event.payload;
    batch.events.push(eventColumns(position, seq, { ...event, payload }));
    if (event.eventId === undefined) continue;
    const event_id = indexed(event.eventId);
    session.eventIds.set(event_id, seq);
    batch.eventIds.push({ session: position, event_id, seq });
  }
  // What a run appends cannot be pruned before it has ended, and its end looks after it.
  if (events.length > 0 && !fence) now.prunable = true;
}

/** The first event whose id the session, or this append, has already. */
function repeatedEvent({ eventIds }: SessionDraft, { events }: Append): { seq?: number } | null {
  const own = new Set<string>();
  for (const { eventId } of events) {
    if (eventId === undefined) continue;
    const name = indexed(eventId);
    const seq = eventIds.get(name);
    if (seq !== undefined) return { seq };
    if (own.has(name)) return {};
    own.add(name);
  }
  return null;
}
