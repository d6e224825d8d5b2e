import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';

const SIZE = 4 * 1024 * 1024;

/**
 * Room on the disk that is kept for the day when it is full: SQLite has to write before it can delete, so without it
 * nothing could make room any more. A file of its own beside the data, which is given up then and made again later.
 * Never throws: everything else works without it.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file, unless it is there or there is no room for it. */
  keep(): void {
    if (this.#size() === SIZE) return;
    try {
      this.#make();
    } catch {
      this.giveUp();
    }
  }

  /** False when there was nothing to give up. */
  giveUp(): boolean {
    const size = this.#size();
    try {
      rmSync(this.#path, { force: true });
      return size > 0;
    } catch {
      return false;
    }
  }

  #size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  #make(): void {
    const file = openSync(this.#path, 'w', 0o600);
    try {
      // Random, because a file system that compresses would keep no room for zeros.
      const bytes = randomFillSync(Buffer.allocUnsafe(SIZE));
      for (let written = 0; written < SIZE; ) written += writeSync(file, bytes, written);
    } finally {
      closeSync(file);
    }
  }
}
