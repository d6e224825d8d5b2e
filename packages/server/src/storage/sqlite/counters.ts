import type { Scope } from '../types.ts';
import type { Database, Prepared } from './database.ts';

/** How many sessions and engines there are, without counting them. Changed in the transaction of what is counted. */
export class Counters {
  readonly #addOwned: Prepared<{ tenantId: string; ownerId: string; change: number }, unknown>;
  readonly #add: Prepared<{ key: string; change: number }, unknown>;
  readonly #owned: Prepared<{ tenantId: string; ownerId: string }, { sessions: number }>;
  readonly #total: Prepared<{ key: string }, { value: number }>;

  constructor(database: Database) {
    const { sql } = database;
    this.#addOwned = database.prepare((p: { tenantId: string; ownerId: string; change: number }) =>
      sql
        .insertInto('owners')
        .values({ tenant_id: p.tenantId, owner_id: p.ownerId, sessions: p.change })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'owner_id'])
            .doUpdateSet((eb) => ({ sessions: eb('owners.sessions', '+', eb.ref('excluded.sessions')) })),
        ),
    );
    this.#add = database.prepare((p: { key: string; change: number }) =>
      sql
        .updateTable('meta')
        .set((eb) => ({ value: eb('value', '+', p.change) }))
        .where('key', '=', p.key),
    );
    this.#owned = database.prepare((p: { tenantId: string; ownerId: string }) =>
      sql
        .selectFrom('owners')
        .select('sessions')
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId),
    );
    this.#total = database.prepare((p: { key: string }) =>
      sql.selectFrom('meta').select('value').where('key', '=', p.key),
    );
  }

  addSessions({ tenantId, ownerId }: Scope, change: number): void {
    this.#addOwned.run({ tenantId, ownerId, change });
    this.#add.run({ key: 'sessions', change });
  }

  addEngines(change: number): void {
    this.#add.run({ key: 'engines', change });
  }

  sessionsOf({ tenantId, ownerId }: Scope): number {
    return this.#owned.get({ tenantId, ownerId })?.sessions ?? 0;
  }

  totals(): { readonly sessions: number; readonly engines: number } {
    return { sessions: this.#read('sessions'), engines: this.#read('engines') };
  }

  /** The number of this start. */
  nextBoot(): number {
    this.#add.run({ key: 'boot', change: 1 });
    return this.#read('boot');
  }

  #read(key: 'boot' | 'sessions' | 'engines'): number {
    const row = this.#total.get({ key });
    if (!row) throw new Error(`The database has lost its number "${key}"`);
    return row.value;
  }
}
