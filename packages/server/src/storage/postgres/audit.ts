import { sql } from 'kysely';
import { AUDIT_START, type AuditHead, type AuditQuery, type AuditRow, type AuditStorage } from '../audit.ts';
import { type AuditPlace, LATEST, selectPage } from '../audit-page.ts';
import { chainRows, toAuditRow } from '../audit-row.ts';
import type { AuditLogTable } from '../tables.ts';
import type { Database, Sql } from './database.ts';
import { type Columns, insertRows } from './rows.ts';

type Work = <Result>(work: () => Promise<Result>) => Promise<Result>;

interface AuditParts {
  /** For what may be done twice. */
  readonly again: Work;
}

const COLUMNS: Columns<AuditLogTable> = {
  number: 'bigint',
  id: 'text',
  at: 'bigint',
  action: 'text',
  principal_id: 'text',
  entry: 'text',
  hash: 'text',
};

/** See `AuditStorage`. The row of the head is what the processes wait for each other at. */
export class Audit implements AuditStorage {
  readonly #database: Database;
  readonly #parts: AuditParts;

  constructor(database: Database, parts: AuditParts) {
    this.#database = database;
    this.#parts = parts;
  }

  async append<Draft extends { readonly id: string }>(
    drafts: readonly Draft[],
    seal: (draft: Draft, head: AuditHead) => AuditRow,
  ): Promise<AuditHead> {
    return this.#parts.again(() =>
      this.#database.transaction(async (db) => {
        const before = await lockHead(db);
        const known = await knownIds(
          db,
          drafts.map(({ id }) => id),
        );
        const missing = drafts.filter(({ id }) => !known.has(id));
        const { rows, head } = chainRows(missing, before, seal);
        if (rows.length === 0) return head;
        await insertRows('audit_log', COLUMNS, rows).execute(db);
        await sql`update audit_head set number = ${head.number}, hash = ${head.hash}`.execute(db);
        return head;
      }),
    );
  }

  async head(): Promise<AuditHead> {
    return this.#parts.again(async () => {
      const query = this.#database.sql.selectFrom('audit_head').select(['number', 'hash']);
      return (await query.executeTakeFirst()) ?? AUDIT_START;
    });
  }

  async read(after: number, limit: number): Promise<readonly AuditRow[]> {
    const query = this.#database.sql
      .selectFrom('audit_log')
      .selectAll()
      .where('number', '>', after)
      .orderBy('number')
      .limit(limit);
    return this.#parts.again(async () => (await query.execute()).map(toAuditRow));
  }

  async list(query: AuditQuery): Promise<readonly AuditRow[]> {
    return this.#parts.again(async () => {
      const last = query.before === undefined ? LATEST : await this.#placeOf(query.before);
      if (!last) return [];
      return (await selectPage(this.#database.sql, query, last).execute()).map(toAuditRow);
    });
  }

  #placeOf(number: number): Promise<AuditPlace | undefined> {
    return this.#database.sql
      .selectFrom('audit_log')
      .select(['at', 'number'])
      .where('number', '=', number)
      .executeTakeFirst();
  }
}

async function lockHead(db: Sql): Promise<AuditHead> {
  const { number, hash } = AUDIT_START;
  // Only a row that is there can be waited for.
  await sql`insert into audit_head (one, number, hash) values (1, ${number}, ${hash})
    on conflict do nothing`.execute(db);
  const { rows } = await sql<AuditHead>`select number, hash from audit_head for update`.execute(db);
  return rows[0] ?? AUDIT_START;
}

async function knownIds(db: Sql, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{
    id: string;
  }>`select id from audit_log where id = any (${ids}::text[])`.execute(db);
  return new Set(rows.map(({ id }) => id));
}
