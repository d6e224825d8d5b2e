import type { Database } from './database.ts';
import { isFull } from './errors.ts';
import type { Reserve } from './reserve.ts';

/** What writes go through, because of full disks. Work that is tried again has been rolled back before. */
export class Room {
  readonly #database: Database;
  readonly #reserve: Reserve | null;
  /** Nothing was written since everything that could be done about a full disk was done. */
  #exhausted = false;

  constructor(database: Database, reserve: Reserve | null) {
    this.#database = database;
    this.#reserve = reserve;
  }

  /** Work that takes room. What was deleted before is used again, even if the write-ahead log has no room to grow. */
  take<Result>(work: () => Result): Result {
    try {
      return this.#done(work());
    } catch (error) {
      if (!isFull(error) || this.#exhausted) throw error;
      return this.#again(work);
    }
  }

  /** Work that makes room: it gets the reserve when the disk is full, and afterwards the reserve is kept again. */
  make<Result>(work: () => Result): Result {
    let result: Result;
    try {
      result = this.#done(work());
    } catch (error) {
      if (!isFull(error)) throw error;
      const given = this.#reserve?.giveUp() ?? false;
      if (this.#exhausted && !given) throw error;
      result = this.#again(work);
      this.#checkpoint();
    }
    this.#reserve?.keep();
    return result;
  }

  #again<Result>(work: () => Result): Result {
    this.#checkpoint();
    this.#exhausted = true;
    return this.#done(work());
  }

  #done<Result>(result: Result): Result {
    this.#exhausted = false;
    return result;
  }

  /** Empties the write-ahead log: it shrinks, and needs no more room than there is in the database. */
  #checkpoint(): void {
    try {
      this.#database.exec('pragma wal_checkpoint(truncate)');
    } catch {
      // There was no room for that either; what is written next shows whether there is enough.
    }
  }
}
