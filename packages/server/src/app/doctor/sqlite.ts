/** What is wrong with an embedded database, also while a server has it open: nothing here writes to it. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from '../../storage/sqlite/errors.ts';
import { MIGRATION_NAMES } from '../../storage/sqlite/migrations.ts';
import { type Finding, ok, problem, reasonOf, warning } from './check.ts';
import { compareMigrations } from './migrations.ts';

/** Reading all of a larger one takes longer than people wait. */
const MAX_CHECKED_BYTES = 1_073_741_824;
const LITTLE_SPACE = 512 * 1024 * 1024;
/** Clocks of one machine do not differ; what was written later than this from now was written with another clock. */
const MAX_SKEW_MS = 60_000;

/** The folder of the data: whether it can be written, and whether somebody has it. */
export function checkDataFolder(path: string): Finding {
  const folder = dirname(path);
  const existing = nearest(folder);
  try {
    if (!statSync(existing).isDirectory()) throw new Error(`${existing} is not a folder`);
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    return problem(
      `${folder} cannot be written: ${reasonOf(error)}`,
      'give this user the right to write there, or choose another folder with LLMGINE_API_DATA_DIR',
    );
  }
  if (existing !== folder) return ok(`${folder} will be made at the first start`);
  const owner = ownerOf(path);
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < LITTLE_SPACE) {
    return warning(`${folder} has ${megabytes(bavail * bsize)} of room left`, 'make room on that disk');
  }
  return ok(`${folder} can be written${owner === null ? '' : `, and is in use by a server${owner}`}`);
}

/** The database itself. */
export function checkSqlite(path: string): Finding {
  if (!existsSync(path)) return ok(`${path} will be made at the first start`);
  if (!statSync(path).isFile()) {
    return problem(`${path} is not a file`, 'remove it, or choose another folder with LLMGINE_API_DATA_DIR');
  }
  const size = statSync(path).size;
  const description = `sqlite ${path}, ${megabytes(size)}`;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    if (size <= MAX_CHECKED_BYTES) {
      const [row] = database.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
      if (row?.quick_check !== 'ok') return damaged(path, row?.quick_check ?? 'no answer');
    }
    const applied = database
      .prepare("select 1 from sqlite_master where name = 'kysely_migration'")
      .all().length;
    if (applied === 0) return warning(`${description} has no tables`, 'the next start makes them');
    const names = database.prepare('select name from kysely_migration').all() as { name: string }[];
    return compareMigrations(
      description,
      names.map(({ name }) => name),
      MIGRATION_NAMES,
    );
  } catch (error) {
    return damaged(path, reasonOf(error));
  } finally {
    if (database?.isOpen) database.close();
  }
}

/** Whether the clock was set back since the data was written. */
export function checkClock(path: string, now: number): Finding {
  const newest = existsSync(path) ? newestWrite(path) : null;
  if (newest === null || newest <= now + MAX_SKEW_MS) return ok(new Date(now).toISOString());
  return warning(
    `it is ${new Date(now).toISOString()}, but the data was used at ${new Date(newest).toISOString()}`,
    'set the clock of this machine: sessions and keys expire by it',
  );
}

/** Whether there is a key that opens anything; null when that cannot be read. */
export function hasSqliteKey(path: string, now: number): boolean | null {
  if (!existsSync(path)) return false;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const inUse = 'revoked_at is null and (expires_at is null or expires_at > ?)';
    return database.prepare(`select 1 from keys where ${inUse} limit 1`).all(now).length > 0;
  } catch {
    // What is wrong with the database, another check says.
    return null;
  } finally {
    if (database?.isOpen) database.close();
  }
}

function newestWrite(path: string): number | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const [row] = database.prepare('select max(last_interaction_at) as at from sessions').all();
    const at = row?.at;
    return typeof at === 'number' ? at : null;
  } catch {
    // What is wrong with the database, another check says.
    return null;
  } finally {
    if (database?.isOpen) database.close();
  }
}

function damaged(path: string, reason: string): Finding {
  return problem(
    `${path} cannot be read: ${reason}`,
    'stop the server, keep a copy of the file, and restore a backup',
  );
}

/** Whether a server has the data open. */
export function isInUse(path: string): boolean {
  return ownerOf(path) !== null;
}

/** How the message of a server that has the data open goes on; null when nobody has. A look takes no lock of its own. */
function ownerOf(path: string): string | null {
  const base = existsSync(path) ? realpathSync(path) : path;
  if (!existsSync(`${base}.lock`)) return null;
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${base}.lock`, { readOnly: true, timeout: 0 });
    lock.prepare('select count(*) from sqlite_master').all();
    return null;
  } catch (error) {
    if (!isBusy(error)) return null;
    const pid = readPid(`${base}.pid`);
    return pid === '' ? '' : ` (pid ${pid})`;
  } finally {
    if (lock?.isOpen) lock.close();
  }
}

function readPid(file: string): string {
  try {
    return /^\d+/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  } catch {
    return '';
  }
}

function nearest(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
