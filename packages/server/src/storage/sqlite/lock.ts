import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './errors.ts';
import { makePrivateFile } from './private-file.ts';

/** The data belongs to another process or another app of this process. The message is one line for people. */
export class StorageInUseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StorageInUseError';
  }
}

export interface Lock {
  release(): void;
}

/**
 * Makes this process the one owner of the database file at `path`, until `release` or until it dies, however it dies.
 * Throws `StorageInUseError` when it has an owner.
 *
 * SQLite itself provides the lock: an exclusive transaction on `<path>.lock` that never ends. It is a file lock of the
 * operating system, and inside one process SQLite keeps the books. The file stays: removing it could let two processes
 * lock two files of the same name.
 */
export function lockDatabase(path: string, reportError: (error: unknown) => void): Lock {
  const base = resolveLinks(path);
  const pidFile = `${base}.pid`;
  makePrivateFile(`${base}.lock`);
  const connection = new DatabaseSync(`${base}.lock`, { timeout: 0 });
  try {
    // In memory, because a journal would be a file, for which a full disk has no room.
    connection.exec('pragma journal_mode = memory; begin exclusive');
  } catch (error) {
    connection.close();
    throw isBusy(error) ? new StorageInUseError(inUse(path, pidFile)) : error;
  }
  // Only for the message above; never read to decide anything.
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      reportError(error);
    }
  };
  attempt(() => writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 }));
  return {
    release: () => {
      if (!connection.isOpen) return;
      attempt(() => rmSync(pidFile, { force: true }));
      connection.close();
    },
  };
}

/** The same file has the same lock under every name. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return join(realpathSync(dirname(path)), basename(path));
  }
}

function inUse(path: string, pidFile: string): string {
  const remedy = 'stop it, or set LLMGINE_API_DATA_DIR to another folder';
  const pid = readPid(pidFile);
  if (pid === process.pid)
    return `The data in ${path} is in use by another app of this process (pid ${pid}); ${remedy}`;
  return `The data in ${path} is in use by another LLMgine process${pid === null ? '' : ` (pid ${pid})`}; ${remedy}`;
}

function readPid(pidFile: string): number | null {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
