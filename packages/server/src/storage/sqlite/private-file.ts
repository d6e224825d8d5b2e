import { closeSync, openSync } from 'node:fs';

/**
 * Makes an empty file that its owner alone can read, which is what SQLite takes for a new database, unless it is there
 * already. SQLite itself would let everybody read it; what it puts beside it gets the mode of the file. Never throws:
 * what is wrong with the place is for SQLite to say.
 */
export function makePrivateFile(path: string): void {
  try {
    // Exclusive, so that a file that is there is not even opened: closing it would drop SQLite's locks on it.
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    // See above.
  }
}
