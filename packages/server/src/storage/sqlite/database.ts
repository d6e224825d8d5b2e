import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type Compilable, Kysely, type SqliteDatabase, SqliteDialect } from 'kysely';
import type { Schema } from '../tables.ts';
import { makePrivateFile } from './private-file.ts';

/** Statements of queries that are built per call; there are few shapes, but filters multiply them. */
const MAX_CACHED_STATEMENTS = 100;
/** Hardly anybody else writes to the data: it is for backup tools, and for those who make keys. */
const BUSY_TIMEOUT_MS = 250;
/** The write-ahead log shrinks to this after a burst. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

export interface DatabaseOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly synchronous: 'normal' | 'full';
  /** To read beside the process that owns the data. Default false. */
  readonly readOnly?: boolean;
  /** Milliseconds to wait for another writer; while it waits the whole process does. */
  readonly busyMs?: number;
}

/** A query that was built and prepared once; its arguments have names. */
export interface Prepared<Args, Row> {
  get(args: Args): Row | undefined;
  all(args: Args): Row[];
  /** The first rows that have at most `max` together, each of a size, and always one; `cut` when there were more. */
  upTo(args: Args, max: number, size: (row: Row) => number): { rows: Row[]; cut: boolean };
  /** The number of changed rows. */
  run(args: Args): number;
  /** The rowid of the row that was inserted. */
  insert(args: Args): number;
}

class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * One connection. Everything is synchronous, so nothing of this process comes between the statements of one function:
 * reads of one function see one state, and a transaction cannot be left half done by an `await`.
 */
export class Database {
  /** Builds queries; they run through `all`, `get`, `run` and `prepare` of this class, never through `execute()`. */
  readonly sql: Kysely<Schema>;
  readonly #connection: DatabaseSync;
  readonly #cache = new Map<string, StatementSync>();
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #rollbackTo: StatementSync;
  readonly #release: StatementSync;

  constructor(options: DatabaseOptions) {
    const { readOnly = false } = options;
    if (options.path !== ':memory:' && !readOnly) makePrivateFile(options.path);
    const timeout = options.busyMs ?? BUSY_TIMEOUT_MS;
    const connection = new DatabaseSync(options.path, { timeout, readOnly });
    try {
      if (!readOnly) connection.exec('pragma journal_mode = wal');
      connection.exec(`
        pragma synchronous = ${options.synchronous};
        pragma journal_size_limit = ${JOURNAL_SIZE_LIMIT};
        pragma cache_size = -16000;
        pragma temp_store = memory;
        pragma trusted_schema = off;
      `);
      this.#begin = connection.prepare('begin immediate');
      this.#commit = connection.prepare('commit');
      this.#rollback = connection.prepare('rollback');
      this.#savepoint = connection.prepare('savepoint part');
      this.#rollbackTo = connection.prepare('rollback to part');
      this.#release = connection.prepare('release part');
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
    this.sql = new Kysely({ dialect: new SqliteDialect({ database: forKysely(connection) }) });
  }

  /** `build` gets an object whose properties stand for the arguments: `prepare((p: { id: number }) => … p.id …)`. */
  prepare<Args extends object, Row>(build: (p: Args) => Compilable<Row>): Prepared<Args, Row> {
    const named = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) }) as Args;
    const { sql, parameters } = build(named).compile();
    const statement = this.#connection.prepare(sql);
    const bind = (args: Args): SQLInputValue[] => {
      const values = new Array<SQLInputValue>(parameters.length);
      for (let index = 0; index < parameters.length; index++) {
        const parameter = parameters[index];
        values[index] = (
          parameter instanceof Placeholder ? (args as Record<string, unknown>)[parameter.name] : parameter
        ) as SQLInputValue;
      }
      return values;
    };
    return {
      get: (args) => statement.get(...bind(args)) as Row | undefined,
      all: (args) => statement.all(...bind(args)) as Row[],
      upTo: (args, max, size) => {
        const rows: Row[] = [];
        let sum = 0;
        for (const row of statement.iterate(...bind(args)) as Iterable<Row>) {
          sum += size(row);
          if (sum > max && rows.length > 0) return { rows, cut: true };
          rows.push(row);
        }
        return { rows, cut: false };
      },
      run: (args) => Number(statement.run(...bind(args)).changes),
      insert: (args) => Number(statement.run(...bind(args)).lastInsertRowid),
    };
  }

  all<Row>(query: Compilable<Row>): Row[] {
    const { sql, parameters } = query.compile();
    return this.#statement(sql).all(...(parameters as SQLInputValue[])) as Row[];
  }

  get<Row>(query: Compilable<Row>): Row | undefined {
    return this.all(query)[0];
  }

  /** All or nothing. `work` is synchronous; transactions do not nest. */
  transaction<Result>(work: () => Result extends Promise<unknown> ? never : Result): Result {
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite has rolled back already when the disk was full.
      if (this.#connection.isTransaction) this.#rollback.run();
      throw error;
    }
  }

  /** Part of a transaction that is undone when `work` says that it was refused. */
  savepoint<Refusal extends string>(work: () => Refusal | undefined): Refusal | undefined {
    this.#savepoint.run();
    const refused = work();
    if (refused !== undefined) this.#rollbackTo.run();
    this.#release.run();
    return refused;
  }

  /** The same as `transaction` for the migrator, which is not synchronous. Only while the database is being opened. */
  async transactionWhileOpening(work: () => Promise<void>): Promise<void> {
    this.#begin.run();
    try {
      await work();
      this.#commit.run();
    } catch (error) {
      if (this.#connection.isTransaction) this.#rollback.run();
      throw error;
    }
  }

  /** Statements without parameters and results. */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  close(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    const cached = this.#cache.get(sql);
    if (cached) {
      this.#cache.delete(sql);
      this.#cache.set(sql, cached);
      return cached;
    }
    const statement = this.#connection.prepare(sql);
    this.#cache.set(sql, statement);
    if (this.#cache.size > MAX_CACHED_STATEMENTS) {
      const [oldest] = this.#cache.keys();
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    return statement;
  }
}

/** What Kysely's own driver, which runs the migrations, expects of a connection. */
function forKysely(connection: DatabaseSync): SqliteDatabase {
  return {
    close: () => connection.close(),
    prepare: (sql) => {
      const statement = connection.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
      };
    },
  };
}
