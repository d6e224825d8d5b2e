import type { RequestOutcome } from '@llmgine/protocol';
import { type Insertable, type Selectable, sql } from 'kysely';
import type { RequestsTable } from '../tables.ts';
import type { AppendRefusal, Write } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { AppendState } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type RequestKey = { session: number; requestId: string };
type Found = Pick<Selectable<RequestsTable>, 'run_id' | 'outcome' | 'claimed_by' | 'claimed_until'>;
type ResolveArgs = RequestKey & {
  outcome: RequestOutcome;
  by: string;
  value: string | null;
  reason: string | null;
  at: number;
};

/** The life of a request to people: pending, perhaps claimed, resolved. */
export class RequestWrites {
  readonly #find: Prepared<RequestKey, Found>;
  readonly #findKey: Prepared<RunKey & { requestKey: string }, unknown>;
  readonly #pending: Prepared<RunKey, unknown>;
  readonly #insert: Prepared<Insertable<RequestsTable>, unknown>;
  readonly #claim: Prepared<RequestKey & { by: string; until: number }, unknown>;
  readonly #resolve: Prepared<ResolveArgs, unknown>;

  constructor(database: Database) {
    const db = database.sql;
    this.#find = database.prepare((p: RequestKey) =>
      db
        .selectFrom('requests')
        .select(['run_id', 'outcome', 'claimed_by', 'claimed_until'])
        .where('session', '=', p.session)
        .where('request_id', '=', p.requestId),
    );
    this.#findKey = database.prepare((p: RunKey & { requestKey: string }) =>
      db
        .selectFrom('requests')
        .select(sql.lit(1).as('one'))
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('request_key', '=', p.requestKey),
    );
    this.#pending = database.prepare((p: RunKey) =>
      db
        .selectFrom('requests')
        .select(sql.lit(1).as('one'))
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('outcome', 'is', null)
        .limit(1),
    );
    this.#insert = database.prepare((p: Insertable<RequestsTable>) =>
      db.insertInto('requests').values({
        session: p.session,
        request_id: p.request_id,
        run_id: p.run_id,
        request_key: p.request_key,
        seq: p.seq,
        kind: p.kind,
        created_at: p.created_at,
        expires_at: p.expires_at,
        tool_name: p.tool_name,
        tool_call_id: p.tool_call_id,
        prompt: p.prompt,
        schema: p.schema,
        arguments: p.arguments,
      }),
    );
    this.#claim = database.prepare((p: RequestKey & { by: string; until: number }) =>
      db
        .updateTable('requests')
        .set({ claimed_by: p.by, claimed_until: p.until })
        .where('session', '=', p.session)
        .where('request_id', '=', p.requestId),
    );
    this.#resolve = database.prepare((p: ResolveArgs) =>
      db
        .updateTable('requests')
        .set({ outcome: p.outcome, resolved_by: p.by, value: p.value, reason: p.reason, resolved_at: p.at })
        .where('session', '=', p.session)
        .where('request_id', '=', p.requestId),
    );
  }

  arePending(session: number, runId: string): boolean {
    return this.#pending.get({ session, runId }) !== undefined;
  }

  /** `running`: whether its run is. */
  create(
    { session, firstSeq }: AppendState,
    { request, eventIndex }: WriteOf<'create_request'>,
    running: boolean,
  ): AppendRefusal | undefined {
    const { runId, requestKey } = request;
    if (this.#findKey.get({ session, runId, requestKey })) return 'request_exists';
    if (!running) return 'run_not_in_state';
    this.#insert.run({
      session,
      request_id: request.requestId,
      run_id: runId,
      request_key: requestKey,
      seq: firstSeq + eventIndex,
      kind: request.kind,
      created_at: request.createdAt,
      expires_at: request.expiresAt,
      tool_name: request.toolName,
      tool_call_id: request.toolCallId,
      prompt: request.prompt,
      schema: request.schema && JSON.stringify(request.schema),
      arguments: jsonText(request.arguments),
    });
    return undefined;
  }

  claim(
    { session }: AppendState,
    { requestId, by, at, until }: WriteOf<'claim_request'>,
  ): AppendRefusal | undefined {
    const found = this.#find.get({ session, requestId });
    if (!found || found.outcome !== null) return 'request_not_pending';
    const held = found.claimed_until !== null && found.claimed_until > at;
    if (held && found.claimed_by !== by) return 'request_claimed';
    this.#claim.run({ session, requestId, by, until });
    return undefined;
  }

  /** Of which run it was, or why it is refused. */
  resolve(
    { session }: AppendState,
    { requestId, resolution }: WriteOf<'resolve_request'>,
  ): { readonly runId: string } | AppendRefusal {
    const found = this.#find.get({ session, requestId });
    if (!found || found.outcome !== null) return 'request_not_pending';
    const { outcome, by, value, reason, at } = resolution;
    this.#resolve.run({ session, requestId, outcome, by, value: jsonText(value), reason, at });
    return { runId: found.run_id };
  }
}

/** Null, which no JSON text is, for what is undefined. */
function jsonText(value: unknown): string | null {
  return JSON.stringify(value) ?? null;
}
