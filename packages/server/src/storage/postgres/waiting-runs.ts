import type { Usage } from '@llmgine/protocol';
import { sql } from 'kysely';
import type { Storage } from '../types.ts';
import type { Sql } from './database.ts';
import { OWNER, toKey } from './session-row.ts';
import { decode, encode } from './text.ts';

type Page = Awaited<ReturnType<Storage['waitingRuns']>>;

/** One statement, whatever the number of runs and of what they have asked. */
export async function waitingRuns(
  db: Sql,
  { limit, tenantId, before }: Parameters<Storage['waitingRuns']>[0],
): Promise<Page> {
  let query = db
    .selectFrom('runs as r')
    .innerJoin('sessions as s', 's.position', 'r.session')
    .select(['r.session', 'r.run_id', 'r.accepted_seq', 'r.status', 'r.usage', 'r.steps'])
    .select(OWNER)
    .select((eb) =>
      eb
        .selectFrom('requests as q')
        .select(sql<string | null>`json_agg(q.request_id order by q.seq)::text`.as('ids'))
        .whereRef('q.session', '=', 'r.session')
        .whereRef('q.run_id', '=', 'r.run_id')
        .where('q.outcome', 'is', null)
        .as('pending'),
    )
    .where('s.deleted_at', 'is', null)
    .where('r.finished_at', 'is', null)
    .where('r.status', '<>', 'running')
    .where('r.open_seq', 'is', null)
    .where('r.reserved', 'is', null)
    .orderBy('r.session', 'desc')
    .orderBy('r.accepted_seq', 'desc')
    .limit(limit);
  if (tenantId !== undefined) query = query.where('s.tenant_id', '=', encode(tenantId));
  if (before) {
    query = query.where((eb) =>
      eb(eb.refTuple('r.session', 'r.accepted_seq'), '<', eb.tuple(before.session, before.acceptedSeq)),
    );
  }
  const rows = await query.execute();
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    runs: rows.map((row) => ({
      ...toKey(row),
      runId: decode(row.run_id),
      status: row.status,
      usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
      steps: row.steps,
      pending: row.pending === null ? [] : (JSON.parse(row.pending) as string[]).map(decode),
    })),
    next: last ? { session: last.session, acceptedSeq: last.accepted_seq } : null,
  };
}
