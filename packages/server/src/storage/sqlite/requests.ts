import type { Json, JsonObject } from '@llmgine/protocol';
import { type Selectable, sql } from 'kysely';
import type { RequestsTable, SessionsTable } from '../tables.ts';
import type { RequestRow, Resolution, SessionKey } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Sessions } from './sessions.ts';

type Request = Selectable<RequestsTable>;
type Owner = Pick<SessionsTable, 'session_id' | 'tenant_id' | 'owner_id'>;

export class Requests {
  readonly #database: Database;
  readonly #sessions: Sessions;
  readonly #get: Prepared<{ session: number; requestId: string }, Request>;
  readonly #pending: Prepared<{ session: number }, Request>;
  readonly #ofRun: Prepared<{ session: number; runId: string }, Request>;
  readonly #due: Prepared<{ now: number; limit: number }, Request & Owner>;
  readonly #nextExpiry: Prepared<object, { expires_at: number }>;

  constructor(database: Database, sessions: Sessions) {
    this.#database = database;
    this.#sessions = sessions;
    const db = database.sql;
    const requests = db.selectFrom('requests');
    this.#get = database.prepare((p: { session: number; requestId: string }) =>
      requests.selectAll().where('session', '=', p.session).where('request_id', '=', p.requestId),
    );
    this.#pending = database.prepare((p: { session: number }) =>
      requests.selectAll().where('session', '=', p.session).where('outcome', 'is', null).orderBy('seq'),
    );
    this.#ofRun = database.prepare((p: { session: number; runId: string }) =>
      requests.selectAll().where('session', '=', p.session).where('run_id', '=', p.runId).orderBy('seq'),
    );
    // The requests come first in a cross join, in the order in which they expire.
    const pendingAnywhere = requests
      .crossJoin('sessions')
      .where('requests.outcome', 'is', null)
      .whereRef('sessions.position', '=', 'requests.session')
      .where('sessions.deleted_at', 'is', null)
      .orderBy('requests.expires_at');
    this.#due = database.prepare((p: { now: number; limit: number }) =>
      pendingAnywhere
        .selectAll('requests')
        .select(['session_id', 'tenant_id', 'owner_id'])
        .where('requests.expires_at', '<=', p.now)
        .limit(p.limit),
    );
    this.#nextExpiry = database.prepare(() =>
      pendingAnywhere.select('requests.expires_at').limit(sql.lit(1)),
    );
  }

  get(key: SessionKey, requestId: string): RequestRow | null {
    const session = this.#sessions.find(key);
    const request = session && this.#get.get({ session: session.position, requestId });
    return request ? toRequest(request, key) : null;
  }

  page(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: number; readonly pending?: boolean },
  ): { readonly requests: RequestRow[]; readonly next: number | null } {
    const session = this.#sessions.find(key);
    if (!session) return { requests: [], next: null };
    let query = this.#database.sql
      .selectFrom('requests')
      .selectAll()
      .where('session', '=', session.position)
      .orderBy('seq', 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) query = query.where('seq', '<', options.before);
    if (options.pending !== undefined)
      query = query.where('outcome', options.pending ? 'is' : 'is not', null);
    const rows = this.#database.all(query);
    const shown = rows.slice(0, options.limit);
    return {
      requests: shown.map((row) => toRequest(row, key)),
      next: rows.length > options.limit ? (shown.at(-1)?.seq ?? null) : null,
    };
  }

  pendingAt(session: number, key: SessionKey): RequestRow[] {
    return this.#pending.all({ session }).map((row) => toRequest(row, key));
  }

  ofRun(key: SessionKey, runId: string): RequestRow[] {
    const session = this.#sessions.find(key);
    if (!session) return [];
    return this.#ofRun.all({ session: session.position, runId }).map((row) => toRequest(row, key));
  }

  due(now: number, limit: number): RequestRow[] {
    return this.#due.all({ now, limit }).map((row) => {
      const { tenant_id: tenantId, owner_id: ownerId, session_id: sessionId } = row;
      return toRequest(row, { tenantId, ownerId, sessionId });
    });
  }

  nextExpiry(): number | null {
    return this.#nextExpiry.get({})?.expires_at ?? null;
  }
}

function toRequest(row: Request, { tenantId, ownerId, sessionId }: SessionKey): RequestRow {
  return {
    tenantId,
    ownerId,
    sessionId,
    requestId: row.request_id,
    runId: row.run_id,
    requestKey: row.request_key,
    kind: row.kind,
    prompt: row.prompt,
    schema: row.schema === null ? null : (JSON.parse(row.schema) as JsonObject),
    arguments: toJson(row.arguments),
    toolName: row.tool_name,
    toolCallId: row.tool_call_id,
    seq: row.seq,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    claimedBy: row.claimed_by,
    claimedUntil: row.claimed_until,
    resolution: toResolution(row),
  };
}

function toResolution(row: Request): Resolution | null {
  const { outcome, resolved_by: by, resolved_at: at } = row;
  if (outcome === null || by === null || at === null) return null;
  return { outcome, by, value: toJson(row.value), reason: row.reason, at };
}

function toJson(text: string | null): Json | undefined {
  return text === null ? undefined : (JSON.parse(text) as Json);
}
