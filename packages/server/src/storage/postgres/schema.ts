/** The tables as Kysely sees them: the common ones, and what several processes need besides. */
import type { Schema as CommonSchema } from '../tables.ts';

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

export interface Schema extends Omit<CommonSchema, 'events' | 'messages'> {
  events: CommonSchema['events'] & Sized;
  messages: CommonSchema['messages'] & Sized & { run_id: string | null };
  processes: ProcessesTable;
  batches: BatchesTable;
}
