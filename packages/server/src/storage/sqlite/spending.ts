import type { Usage } from '@llmgine/protocol';
import type { Selectable } from 'kysely';
import { isNoChange, NOTHING, type RunUse, type UseChange, usedBy } from '../budget.ts';
import { type UseColumns, useColumns } from '../run-use.ts';
import { reserve } from '../settlement.ts';
import type { SessionsTable } from '../tables.ts';
import type { AppendRefusal, Write } from '../types.ts';
import { addUsage, utcDay } from '../usage.ts';
import { takenOn } from '../usage-day-row.ts';
import type { Database, Prepared } from './database.ts';
import type { UsageDays } from './usage-days.ts';
import type { AppendState } from './writes.ts';

type ReserveBudget = Extract<Write, { kind: 'reserve_budget' }>;
type Sums = Pick<Selectable<SessionsTable>, 'usage' | 'steps' | 'elapsed_ms'>;
type ReserveArgs = UseColumns & { session: number; runId: string };

/** What runs use, in the sums of their sessions and of their owners. Everything runs inside the transaction of the append. */
export class Spending {
  readonly #days: UsageDays;
  readonly #sums: Prepared<{ session: number }, Sums>;
  readonly #setSums: Prepared<{ session: number } & Sums, unknown>;
  readonly #reserve: Prepared<ReserveArgs, unknown>;

  constructor(database: Database, days: UsageDays) {
    this.#days = days;
    const db = database.sql;
    this.#sums = database.prepare((p: { session: number }) =>
      db.selectFrom('sessions').select(['usage', 'steps', 'elapsed_ms']).where('position', '=', p.session),
    );
    this.#setSums = database.prepare((p: { session: number } & Sums) =>
      db
        .updateTable('sessions')
        .set({ usage: p.usage, steps: p.steps, elapsed_ms: p.elapsed_ms })
        .where('position', '=', p.session),
    );
    this.#reserve = database.prepare((p: ReserveArgs) =>
      db
        .updateTable('runs')
        .set({ usage: p.usage, steps: p.steps, elapsed_ms: p.elapsed_ms, reserved: p.reserved })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
  }

  add({ session, scope }: Pick<AppendState, 'session' | 'scope'>, change: UseChange): void {
    if (isNoChange(change)) return;
    const sums = this.#sumsOf(session);
    const usage = addUsage(sums.usage, change.usage);
    this.#setSums.run({
      session,
      usage: usage && JSON.stringify(usage),
      steps: sums.steps + change.steps,
      elapsed_ms: sums.elapsedMs + change.elapsedMs,
    });
    this.#days.add(scope, change);
  }

  reserve(state: AppendState, run: RunUse, write: ReserveBudget): AppendRefusal | undefined {
    const { session, scope } = state;
    const today = this.#days.get(scope, utcDay(write.at));
    const sums = {
      session: usedBy(this.#sumsOf(session)),
      today: today ? takenOn(today) : NOTHING,
    };
    const reserved = reserve(run, sums, write);
    if ('exceeded' in reserved) {
      state.exceeded = reserved.exceeded;
      return 'budget_exceeded';
    }
    this.#reserve.run({ session, runId: write.runId, ...useColumns(reserved.after) });
    for (const change of reserved.changes) this.add(state, change);
    state.granted = reserved.grant;
    return undefined;
  }

  #sumsOf(session: number) {
    const row = this.#sums.get({ session });
    return {
      usage: row?.usage ? (JSON.parse(row.usage) as Usage) : null,
      steps: row?.steps ?? 0,
      elapsedMs: row?.elapsed_ms ?? 0,
    };
  }
}
