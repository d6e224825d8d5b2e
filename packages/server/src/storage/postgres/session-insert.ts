import { type RawBuilder, sql } from 'kysely';
import { forkColumn, metadataText } from '../session-row.ts';
import type { NewSession } from '../types.ts';
import { EVENT, type EventColumns, eventColumns } from './event-row.ts';
import type { IdempotencyColumns } from './idempotency.ts';
import { type Columns, rowsAs } from './rows.ts';
import { engineColumns, scopeColumns } from './session-row.ts';
import { encode, encodeNullable, indexed } from './text.ts';

interface MetadataColumns {
  readonly key: string;
  readonly value: string;
}
const METADATA: Columns<MetadataColumns> = { key: 'text', value: 'text' };
/** Of a session that begins with messages. */
export interface SessionPlace {
  readonly position: number;
  /** `seq` of the last of them; events follow. */
  readonly headSeq: number;
  /** Whether its row is there already. */
  readonly isStaged: boolean;
}
type EventOfSession = Omit<EventColumns, 'session'>;
const { session: _, ...EVENT_OF_SESSION } = EVENT;

/**
 * All that is made with a session, as one statement, because everybody who makes one waits for the row that counts them.
 * One row when it was made, none when it was not: there are too many, or the answer is there already. When the owner has
 * too many, it fails for want of their number, which undoes all of it; two at once cannot both take the last place.
 */
export function insertSession(
  session: NewSession,
  maxSessions: number,
  record: IdempotencyColumns | undefined,
  maxOfOwner: number | undefined,
  place?: SessionPlace,
): RawBuilder<{ position: number }> {
  const { tenant_id, owner_id } = scopeColumns(session);
  const head = place?.headSeq ?? 0;
  const events = session.events.map((event, index) => eventColumns(0, head + index + 1, event));
  return sql`
    with counted as (
      update meta set value = value + 1 where key = 'sessions' and value < ${maxSessions} ${unlessKept(record)}
      returning 1
    ), created as (
      ${place?.isStaged ? completed(session, place) : inserted(session, place)}
    ), engines as (
      update meta set value = value + ${session.engine ? 1 : 0} from created where key = 'engines'
        and ${session.engine !== null} returning 1
    ), owned as (
      insert into owners (tenant_id, owner_id, sessions)
      select ${tenant_id}, ${owner_id}, 1 from created where (select count(*) from engines) >= 0
      on conflict (tenant_id, owner_id) do update set sessions = ${oneMore(maxOfOwner)}
    ) ${withAnswer(record)} ${withMetadata(session)} ${withEvents(events)}
    select position from created
  `;
}

/** Its row, from `counted`. */
function inserted(session: NewSession, place: SessionPlace | undefined): RawBuilder<unknown> {
  const { tenant_id, owner_id } = scopeColumns(session);
  const engine = engineColumns(session.engine);
  const head = place?.headSeq ?? 0;
  return sql`
    insert into sessions (
      ${place ? sql`position,` : sql``}
      session_id, tenant_id, owner_id, epoch, head_seq, floor_seq, kept_since, created_at, last_interaction_at,
      unfinished_runs, engine_id, engine_type, engine_config, engine_status, name, metadata, forked_from
    ) ${place ? sql`overriding system value` : sql``}
    select
      ${place ? sql`${place.position}::bigint,` : sql``}
      ${encode(session.sessionId)}, ${tenant_id}, ${owner_id}, ${encode(session.epoch)},
      ${head + session.events.length}::bigint, ${head}::bigint, ${session.events[0]?.createdAt ?? null}::bigint,
      ${session.createdAt}::bigint, ${session.createdAt}::bigint, 0,
      ${engine.engine_id}, ${engine.engine_type}, ${engine.engine_config}, ${engine.engine_status},
      ${encodeNullable(session.name)}, ${JSON.stringify(session.metadata)}, ${forkColumn(session.forkedFrom)}
    from counted returning position
  `;
}

/** The same for one whose row is there already. */
function completed(session: NewSession, { position, headSeq }: SessionPlace): RawBuilder<unknown> {
  const engine = engineColumns(session.engine);
  return sql`
    update sessions set
      deleted_at = null, head_seq = ${headSeq + session.events.length}, floor_seq = ${headSeq},
      kept_since = ${session.events[0]?.createdAt ?? null}, created_at = ${session.createdAt},
      last_interaction_at = ${session.createdAt}, engine_id = ${engine.engine_id}, engine_type = ${engine.engine_type},
      engine_config = ${engine.engine_config}, engine_status = ${engine.engine_status},
      name = ${encodeNullable(session.name)}, metadata = ${JSON.stringify(session.metadata)},
      forked_from = ${forkColumn(session.forkedFrom)}
    from counted where sessions.position = ${position} returning sessions.position
  `;
}

function oneMore(maxOfOwner: number | undefined): RawBuilder<unknown> {
  if (maxOfOwner === undefined) return sql`owners.sessions + 1`;
  return sql`case when owners.sessions < ${maxOfOwner}::bigint then owners.sessions + 1 end`;
}

function unlessKept(record: IdempotencyColumns | undefined): RawBuilder<unknown> {
  if (!record) return sql``;
  return sql`and not exists (
    select from idempotency where tenant_id = ${record.tenant_id} and owner_id = ${record.owner_id}
      and idempotency_key = ${record.idempotency_key}
  )`;
}

function withAnswer(record: IdempotencyColumns | undefined): RawBuilder<unknown> {
  if (!record) return sql``;
  return sql`, answered as (
    insert into idempotency (tenant_id, owner_id, idempotency_key, body_hash, response, created_at)
    select ${record.tenant_id}, ${record.owner_id}, ${record.idempotency_key}, ${record.body_hash},
      ${record.response}, ${record.created_at}::bigint from created
  )`;
}

function withMetadata({ metadata, tenantId, ownerId }: NewSession): RawBuilder<unknown> {
  const rows: MetadataColumns[] = [];
  for (const [key, value] of Object.entries(metadata)) {
    const text = metadataText(value);
    if (text !== null) rows.push({ key: indexed(key), value: indexed(text) });
  }
  if (rows.length === 0) return sql``;
  const { tenant_id, owner_id } = scopeColumns({ tenantId, ownerId });
  return sql`, described as (
    insert into session_metadata (tenant_id, owner_id, key, value, session)
    select ${tenant_id}, ${owner_id}, m.key, m.value, created.position
    from created cross join ${rowsAs('m', METADATA, rows)}
  )`;
}

function withEvents(events: readonly EventColumns[]): RawBuilder<unknown> {
  if (events.length === 0) return sql``;
  const names = sql.join(Object.keys(EVENT_OF_SESSION).map((column) => sql.ref(column)));
  return sql`, begun as (
    insert into events (session, ${names})
    select created.position, ${names} from created cross join ${rowsAs<EventOfSession>('e', EVENT_OF_SESSION, events)}
  )`;
}
