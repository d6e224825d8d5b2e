/** The tables as Kysely sees them: those of SQLite, and what several processes need besides. */
import type { Schema as SqliteSchema } from '../sqlite/schema.ts';

/** Characters of the JSON, so that a page is cut before its rows are read. */
interface Sized {
  size: number;
}

/** A start of a process; it is gone when its row is, or when its time is over. */
export interface ProcessesTable {
  boot: number;
  expires_at: Date;
}

/** The last batch of appends that a process has committed, and what it was answered: see `append.ts`. */
export interface BatchesTable {
  boot: number;
  batch: number;
  outcomes: string;
}

export interface Schema extends Omit<SqliteSchema, 'events' | 'messages'> {
  events: SqliteSchema['events'] & Sized;
  messages: SqliteSchema['messages'] & Sized & { run_id: string | null };
  processes: ProcessesTable;
  batches: BatchesTable;
}
