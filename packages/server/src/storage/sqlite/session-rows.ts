import { engineColumns, forkColumn, metadataText } from '../session-row.ts';
import type { EventsTable, SessionMetadataTable, SessionsTable } from '../tables.ts';
import type { NewSession } from '../types.ts';
import type { Database, Prepared } from './database.ts';

type SessionArgs = Omit<
  SessionsTable,
  'position' | 'floor_seq' | 'usage' | 'steps' | 'elapsed_ms' | 'unfinished_runs' | 'deleted_at'
>;

/** Inserts new sessions. Everything runs inside a transaction of the caller. */
export class SessionRows {
  readonly #insert: Prepared<SessionArgs, unknown>;
  readonly #insertMetadata: Prepared<SessionMetadataTable, unknown>;
  readonly #insertEvent: Prepared<EventsTable, unknown>;

  constructor(database: Database) {
    const db = database.sql;
    this.#insert = database.prepare((p: SessionArgs) =>
      db.insertInto('sessions').values({
        session_id: p.session_id,
        tenant_id: p.tenant_id,
        owner_id: p.owner_id,
        epoch: p.epoch,
        head_seq: p.head_seq,
        created_at: p.created_at,
        last_interaction_at: p.last_interaction_at,
        unfinished_runs: 0,
        deleted_at: null,
        engine_id: p.engine_id,
        engine_type: p.engine_type,
        engine_status: p.engine_status,
        name: p.name,
        engine_config: p.engine_config,
        metadata: p.metadata,
        kept_since: p.kept_since,
        forked_from: p.forked_from,
      }),
    );
    this.#insertMetadata = database.prepare((p: SessionMetadataTable) =>
      db.insertInto('session_metadata').values({
        tenant_id: p.tenant_id,
        owner_id: p.owner_id,
        key: p.key,
        value: p.value,
        session: p.session,
      }),
    );
    this.#insertEvent = database.prepare((p: EventsTable) =>
      db.insertInto('events').values({
        session: p.session,
        seq: p.seq,
        event_type: p.event_type,
        run_id: p.run_id,
        payload: p.payload,
        created_at: p.created_at,
      }),
    );
  }

  /** With all that it has from its beginning. */
  insert(session: NewSession): void {
    const position = this.#insert.insert({
      session_id: session.sessionId,
      tenant_id: session.tenantId,
      owner_id: session.ownerId,
      epoch: session.epoch,
      head_seq: session.events.length,
      created_at: session.createdAt,
      last_interaction_at: session.createdAt,
      ...engineColumns(session.engine),
      name: session.name,
      metadata: JSON.stringify(session.metadata),
      forked_from: forkColumn(session.forkedFrom),
      kept_since: session.events[0]?.createdAt ?? null,
    });
    this.insertParts(session, { position, headSeq: 0 });
  }

  /** What it has besides its own row: metadata to be found by, and the events behind `headSeq`. */
  insertParts(
    { tenantId, ownerId, metadata, events }: NewSession,
    { position, headSeq }: { readonly position: number; readonly headSeq: number },
  ): void {
    for (const [key, value] of Object.entries(metadata)) {
      const text = metadataText(value);
      if (text === null) continue;
      this.#insertMetadata.run({
        tenant_id: tenantId,
        owner_id: ownerId,
        key,
        value: text,
        session: position,
      });
    }
    let seq = headSeq;
    for (const { eventType, runId, payload, createdAt } of events) {
      this.#insertEvent.run({
        session: position,
        seq: ++seq,
        event_type: eventType,
        run_id: runId,
        payload,
        created_at: createdAt,
      });
    }
  }
}
