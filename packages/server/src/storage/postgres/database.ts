import {
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type Transaction,
} from 'kysely';
import pg from 'pg';
import { ConnectionError, codeOf } from './errors.ts';
import type { Schema } from './schema.ts';

/** A lock that somebody else holds is waited for that long, so that a whole query still has time. */
const MAX_LOCK_WAIT_MS = 3000;
/** The server ends a query that takes too long; when it does not even answer that, the connection is dropped. */
const GRACE_MS = 1000;
/** Of a connection that nobody has needed. */
const IDLE_TIMEOUT_MS = 30_000;
const BIGINT = 20;

export interface DatabaseOptions {
  /** `postgres://USER:PASSWORD@HOST/DATABASE` */
  readonly url: string;
  /** Connections at most. */
  readonly pool: number;
  /** Milliseconds that a query, or waiting for a connection, may take. */
  readonly timeoutMs: number;
  /** Milliseconds that a query may take, when that is something else. */
  readonly queryMs?: number;
  /** Told of connections that ended while nobody used them. */
  readonly onError: (stage: string, error: unknown) => void;
}

export type Sql = Kysely<Schema>;

/** The connections. Every wait for them and on them is bounded. */
export class Database {
  readonly sql: Sql;
  readonly timeoutMs: number;

  constructor(options: DatabaseOptions) {
    this.timeoutMs = options.timeoutMs;
    this.sql = new Kysely({ dialect: new PostgresDialect({ pool: new BoundedPool(options) }) });
  }

  /** All or nothing. It is undone, and rejects, when `work` does. */
  transaction<Result>(work: (db: Transaction<Schema>) => Promise<Result>): Promise<Result> {
    return this.sql.transaction().execute(work);
  }

  /** Reads of one moment. */
  snapshot<Result>(work: (db: Sql) => Promise<Result>): Promise<Result> {
    return this.sql
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(work);
  }

  /** Waits for the queries that are under way. */
  async close(): Promise<void> {
    await this.sql.destroy();
  }
}

class BoundedPool implements PostgresPool {
  readonly options = {};
  readonly #pool: pg.Pool;
  readonly #bound: number;

  constructor({ url, pool, timeoutMs, queryMs = timeoutMs, onError }: DatabaseOptions) {
    this.#bound = queryMs + GRACE_MS;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: pool,
      application_name: 'llmgine',
      keepAlive: true,
      connectionTimeoutMillis: timeoutMs,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      statement_timeout: queryMs,
      lock_timeout: Math.max(1, Math.min(MAX_LOCK_WAIT_MS, Math.floor(queryMs / 2))),
      idle_in_transaction_session_timeout: queryMs,
      types: { getTypeParser: typeParser },
    });
    // Without a listener the end of a connection ends the process, whether it is in use or not.
    this.#pool.on('error', (error: Error & { client?: unknown }) => {
      // It holds the password, and errors are logged with all that they hold.
      delete error.client;
      onError('postgres connection', error);
    });
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect().catch(rethrow);
    let released = false;
    const release = (destroy?: boolean): void => {
      if (!released) client.release(destroy);
      released = true;
    };
    const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
      // Ends the socket while a query is under way, which then rejects.
      const timer = setTimeout(() => release(true), this.#bound);
      try {
        return await client.query(sql, parameters as unknown[]);
      } catch (error) {
        return rethrow(error);
      } finally {
        clearTimeout(timer);
      }
    };
    return { query, release } as PostgresPoolClient;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/** Answers of the server, errors of the system and bugs have a code or a name; what is left are connections. */
function rethrow(error: unknown): never {
  const plain = error instanceof Error && error.name === 'Error' && codeOf(error) === null;
  throw plain ? new ConnectionError(error) : error;
}

/** Numbers of rows and times are far below 2^53. */
const typeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === BIGINT ? Number : pg.types.getTypeParser(oid, format as 'text');
