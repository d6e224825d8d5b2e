import { type Kysely, sql } from 'kysely';

/** Where a session came from. */
export async function addForks(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sessions add column forked_from text`.execute(db);
}
