import { sql } from 'kysely';
import { AUDIT_START, type AuditHead, type AuditQuery, type AuditRow, type AuditStorage } from '../audit.ts';
import { type AuditPlace, LATEST, selectPage } from '../audit-page.ts';
import { chainRows, toAuditRow } from '../audit-row.ts';
import type { AuditLogTable } from '../tables.ts';
import type { Database, Prepared } from './database.ts';

interface AuditParts {
  /** Translates what goes wrong. */
  readonly run: <Result>(work: () => Result) => Result;
  /** For work that takes room. */
  readonly take: <Result>(work: () => Result) => Result;
}

/** See `AuditStorage`. */
export class Audit implements AuditStorage {
  readonly #database: Database;
  readonly #parts: AuditParts;
  readonly #head: Prepared<object, AuditHead>;
  readonly #has: Prepared<{ id: string }, { id: string }>;
  readonly #timeOf: Prepared<{ number: number }, AuditPlace>;
  readonly #read: Prepared<{ after: number; limit: number }, AuditLogTable>;
  readonly #insert: Prepared<AuditLogTable, unknown>;
  readonly #moveHead: Prepared<AuditHead, unknown>;

  constructor(database: Database, parts: AuditParts) {
    this.#database = database;
    this.#parts = parts;
    const db = database.sql;
    const log = db.selectFrom('audit_log');
    this.#head = database.prepare(() =>
      db.selectFrom('audit_head').select(['number', 'hash']).where('one', '=', sql.lit(1)),
    );
    this.#has = database.prepare((p: { id: string }) => log.select('id').where('id', '=', p.id));
    this.#timeOf = database.prepare((p: { number: number }) =>
      log.select(['at', 'number']).where('number', '=', p.number),
    );
    this.#read = database.prepare((p: { after: number; limit: number }) =>
      log.selectAll().where('number', '>', p.after).orderBy('number').limit(p.limit),
    );
    this.#insert = database.prepare((p: AuditLogTable) =>
      db.insertInto('audit_log').values({
        number: p.number,
        id: p.id,
        at: p.at,
        action: p.action,
        principal_id: p.principal_id,
        entry: p.entry,
        hash: p.hash,
      }),
    );
    this.#moveHead = database.prepare((p: AuditHead) =>
      db
        .insertInto('audit_head')
        .values({ one: sql.lit(1), number: p.number, hash: p.hash })
        .onConflict((conflict) =>
          conflict.column('one').doUpdateSet({
            number: sql.ref('excluded.number'),
            hash: sql.ref('excluded.hash'),
          }),
        ),
    );
  }

  async append<Draft extends { readonly id: string }>(
    drafts: readonly Draft[],
    seal: (draft: Draft, head: AuditHead) => AuditRow,
  ): Promise<AuditHead> {
    return this.#parts.run(() =>
      this.#parts.take(() => this.#database.transaction(() => this.#add(drafts, seal))),
    );
  }

  async head(): Promise<AuditHead> {
    return this.#parts.run(() => this.#readHead());
  }

  async read(after: number, limit: number): Promise<readonly AuditRow[]> {
    return this.#parts.run(() => this.#read.all({ after, limit }).map(toAuditRow));
  }

  async list(query: AuditQuery): Promise<readonly AuditRow[]> {
    return this.#parts.run(() => {
      const last = query.before === undefined ? LATEST : this.#timeOf.get({ number: query.before });
      return last ? this.#database.all(selectPage(this.#database.sql, query, last)).map(toAuditRow) : [];
    });
  }

  #add<Draft extends { readonly id: string }>(
    drafts: readonly Draft[],
    seal: (draft: Draft, head: AuditHead) => AuditRow,
  ): AuditHead {
    const missing = drafts.filter(({ id }) => this.#has.get({ id }) === undefined);
    const { rows, head } = chainRows(missing, this.#readHead(), seal);
    for (const row of rows) this.#insert.run(row);
    if (rows.length > 0) this.#moveHead.run(head);
    return head;
  }

  #readHead(): AuditHead {
    const row = this.#head.get({});
    return row ? { number: row.number, hash: row.hash } : AUDIT_START;
  }
}
