import { metadataText } from '../session-row.ts';
import type { NewSession } from '../types.ts';
import type { Database } from './database.ts';

/** What a new session has besides its own row: metadata to be found by, and the events behind `headSeq`. */
export function insertSessionRows(
  database: Database,
  { tenantId, ownerId, metadata, events }: NewSession,
  { position, headSeq }: { readonly position: number; readonly headSeq: number },
): void {
  const db = database.sql;
  for (const [key, value] of Object.entries(metadata)) {
    const text = metadataText(value);
    if (text === null) continue;
    database.all(
      db.insertInto('session_metadata').values({
        tenant_id: tenantId,
        owner_id: ownerId,
        key,
        value: text,
        session: position,
      }),
    );
  }
  for (const [index, event] of events.entries()) {
    database.all(
      db.insertInto('events').values({
        session: position,
        seq: headSeq + index + 1,
        event_type: event.eventType,
        run_id: event.runId,
        payload: event.payload,
        created_at: event.createdAt,
      }),
    );
  }
}
