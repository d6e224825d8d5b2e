import type { RequestRow, SessionKey } from '../types.ts';
import type { Sql } from './database.ts';
import { toRequest } from './request-row.ts';
import { OWNER, positionOf, toKey } from './session-row.ts';
import { encode } from './text.ts';

export class Requests {
  readonly #sql: Sql;

  constructor(db: Sql) {
    this.#sql = db;
  }

  async get(key: SessionKey, requestId: string): Promise<RequestRow | null> {
    const row = await this.#of(key).where('q.request_id', '=', encode(requestId)).executeTakeFirst();
    return row ? toRequest(row, key) : null;
  }

  async page(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: number; readonly pending?: boolean },
  ): Promise<{ readonly requests: RequestRow[]; readonly next: number | null }> {
    let query = this.#of(key)
      .orderBy('q.seq', 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) query = query.where('q.seq', '<', options.before);
    if (options.pending !== undefined) {
      query = query.where('q.outcome', options.pending ? 'is' : 'is not', null);
    }
    const rows = await query.execute();
    const shown = rows.slice(0, options.limit);
    return {
      requests: shown.map((row) => toRequest(row, key)),
      next: rows.length > options.limit ? (shown.at(-1)?.seq ?? null) : null,
    };
  }

  async ofRun(key: SessionKey, runId: string): Promise<RequestRow[]> {
    const rows = await this.#of(key).where('q.run_id', '=', encode(runId)).orderBy('q.seq').execute();
    return rows.map((row) => toRequest(row, key));
  }

  async due(now: number, limit: number): Promise<RequestRow[]> {
    const rows = await this.#pending()
      .selectAll('q')
      .select(OWNER)
      .where('q.expires_at', '<=', now)
      .limit(limit)
      .execute();
    return rows.map((row) => toRequest(row, toKey(row)));
  }

  async nextExpiry(): Promise<number | null> {
    const row = await this.#pending().select('q.expires_at').limit(1).executeTakeFirst();
    return row?.expires_at ?? null;
  }

  #of(key: SessionKey) {
    return this.#sql
      .selectFrom('requests as q')
      .selectAll('q')
      .where('q.session', '=', positionOf(this.#sql, key));
  }

  #pending() {
    return this.#sql
      .selectFrom('requests as q')
      .innerJoin('sessions as s', 's.position', 'q.session')
      .where('s.deleted_at', 'is', null)
      .where('q.outcome', 'is', null)
      .orderBy('q.expires_at');
  }
}

/** Oldest first. */
export async function pendingRequests(db: Sql, session: number, key: SessionKey): Promise<RequestRow[]> {
  const rows = await db
    .selectFrom('requests as q')
    .selectAll('q')
    .where('q.session', '=', session)
    .where('q.outcome', 'is', null)
    .orderBy('q.seq')
    .execute();
  return rows.map((row) => toRequest(row, key));
}
