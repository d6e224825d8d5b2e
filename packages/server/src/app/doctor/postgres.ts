/** What is wrong with a Postgres database. Nothing here writes to it. */
import { sql } from 'kysely';
import { Database } from '../../storage/postgres/database.ts';
import { openReason } from '../../storage/postgres/errors.ts';
import { MIGRATION_NAMES } from '../../storage/postgres/migrations.ts';
import { describe } from '../../storage/postgres/storage.ts';
import { type Finding, ok, problem, warning } from './check.ts';
import { compareMigrations } from './migrations.ts';

/** What the storage needs of it came with this one. */
const OLDEST = 14;
const MAX_SKEW_MS = 2000;

export interface PostgresFindings {
  readonly database: Finding;
  readonly clock: Finding;
  /** Whether there is a key that opens anything; null when that cannot be read. */
  readonly hasKey: boolean | null;
}

/** Rejects never. */
export async function checkPostgres(url: string, timeoutMs: number): Promise<PostgresFindings> {
  const where = URL.canParse(url) ? describe(url) : 'postgres';
  let database: Database | undefined;
  try {
    database = new Database({ url, pool: 1, timeoutMs, onError: () => {} });
    const { rows } = await sql<{ version: number; now: number; tables: boolean; writable: boolean }>`
      select current_setting('server_version_num')::int / 10000 as version,
        (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
        to_regclass('kysely_migration') is not null as tables,
        has_schema_privilege(current_schema(), 'create') and not pg_is_in_recovery() as writable
    `.execute(database.sql);
    const [facts] = rows;
    if (!facts) throw new Error('it did not answer');
    const names = facts.tables
      ? (await sql<{ name: string }>`select name from kysely_migration`.execute(database.sql)).rows
      : [];
    return {
      database: judge(`${where}, Postgres ${facts.version}`, facts, names),
      clock: compareClocks(facts.now, Date.now()),
      hasKey: facts.tables ? await hasKeyInUse(database) : false,
    };
  } catch (error) {
    return {
      database: problem(
        `${where}: ${openReason(error)}`,
        'correct LLMGINE_API_DATABASE_URL, start the database, or give its user the right to it',
      ),
      clock: ok(new Date().toISOString()),
      hasKey: null,
    };
  } finally {
    await database?.close().catch(() => {});
  }
}

async function hasKeyInUse({ sql: database }: Database): Promise<boolean | null> {
  try {
    const { rows } = await sql`
      select 1 from keys where revoked_at is null
        and (expires_at is null or expires_at > extract(epoch from clock_timestamp()) * 1000) limit 1
    `.execute(database);
    return rows.length > 0;
  } catch {
    // The tables may be older than keys.
    return null;
  }
}

function judge(
  description: string,
  facts: { readonly version: number; readonly tables: boolean; readonly writable: boolean },
  names: readonly { readonly name: string }[],
): Finding {
  if (facts.version < OLDEST) return problem(`${description} is too old`, `use Postgres ${OLDEST} or newer`);
  if (!facts.writable) {
    return problem(
      `${description}: this user cannot make tables in it`,
      'connect to the primary, and grant the user CREATE on the schema',
    );
  }
  if (!facts.tables) return ok(`${description}, empty: the first start makes the tables`);
  return compareMigrations(
    description,
    names.map(({ name }) => name),
    MIGRATION_NAMES,
  );
}

function compareClocks(there: number, here: number): Finding {
  const skew = Math.round(Math.abs(there - here));
  if (skew <= MAX_SKEW_MS) return ok(`${new Date(here).toISOString()}, ${skew} ms from the database`);
  return warning(
    `the clock of this machine is ${(skew / 1000).toFixed(1)} s from that of the database`,
    'let both follow a time server (NTP): sessions and keys expire by them',
  );
}
