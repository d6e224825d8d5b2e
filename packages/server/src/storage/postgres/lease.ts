import { type RawBuilder, sql } from 'kysely';
import type { Lease } from '../types.ts';
import type { Database, Sql } from './database.ts';

/** Long after the last one that wrote with it can be under way. */
const FORGOTTEN_AFTER = sql`interval '1 day'`;

/** Whether the process of a joined row is alive; by the clock of now, however long its transaction has waited. */
export function isAlive(process: string): RawBuilder<boolean> {
  return sql<boolean>`coalesce(${sql.ref(`${process}.expires_at`)} > clock_timestamp(), false)`;
}

/**
 * What this process is to the others: a row with a time that it moves on. Whoever finds the time over, or no row, takes
 * over what the process executed. It never comes back under the same number then.
 */
export class ProcessLease implements Lease {
  readonly ttlMs: number;
  readonly #sql: Sql;
  #boot: number;

  private constructor(db: Sql, ttlMs: number, boot: number) {
    this.#sql = db;
    this.ttlMs = ttlMs;
    this.#boot = boot;
  }

  static async start(database: Database, ttlMs: number): Promise<ProcessLease> {
    return new ProcessLease(database.sql, ttlMs, await register(database.sql, ttlMs));
  }

  get boot(): number {
    return this.#boot;
  }

  async renew(): Promise<boolean> {
    const { rows } = await sql`
      update processes set expires_at = ${inFuture(this.ttlMs)}
      where boot = ${this.#boot} and expires_at > clock_timestamp() returning boot
    `.execute(this.#sql);
    if (rows.length > 0) return true;
    this.#boot = await register(this.#sql, this.ttlMs);
    return false;
  }

  /** Others need not wait until it has run out. */
  async end(): Promise<void> {
    await this.#sql.deleteFrom('processes').where('boot', '=', this.#boot).execute();
    await this.#sql.deleteFrom('batches').where('boot', '=', this.#boot).execute();
  }
}

async function register(db: Sql, ttlMs: number): Promise<number> {
  await sql`delete from processes where expires_at < clock_timestamp() - ${FORGOTTEN_AFTER}`.execute(db);
  await sql`delete from batches where not exists
    (select from processes where processes.boot = batches.boot)`.execute(db);
  // With the row of its batches: only a row that is there can be waited for.
  const { rows } = await sql<{ boot: number }>`
    with registered as (insert into processes (expires_at) values (${inFuture(ttlMs)}) returning boot)
    insert into batches (boot, batch, outcomes) select boot, 0, '[]' from registered returning boot
  `.execute(db);
  const [row] = rows;
  if (!row) throw new Error('The database gave no boot number');
  return row.boot;
}

function inFuture(ms: number): RawBuilder<Date> {
  return sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;
}
