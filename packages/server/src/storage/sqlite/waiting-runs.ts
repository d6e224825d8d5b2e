import type { Usage } from '@llmgine/protocol';
import { sql } from 'kysely';
import type { Storage } from '../types.ts';
import type { Database } from './database.ts';

type Page = Awaited<ReturnType<Storage['waitingRuns']>>;

/** One statement, whatever the number of runs and of what they have asked. */
export function waitingRuns(
  database: Database,
  { limit, tenantId, before }: Parameters<Storage['waitingRuns']>[0],
): Page {
  // The runs come first in a cross join: they are few, whatever the number of sessions.
  let query = database.sql
    .selectFrom('runs')
    .crossJoin('sessions')
    .select(['runs.session', 'runs.run_id', 'runs.accepted_seq', 'runs.status', 'runs.usage', 'runs.steps'])
    .select(['session_id', 'tenant_id', 'owner_id'])
    .select((eb) =>
      eb
        .selectFrom('requests')
        .select(sql<string>`json_group_array(requests.request_id order by requests.seq)`.as('ids'))
        .whereRef('requests.session', '=', 'runs.session')
        .whereRef('requests.run_id', '=', 'runs.run_id')
        .where('requests.outcome', 'is', null)
        .as('pending'),
    )
    .where('runs.finished_at', 'is', null)
    .where('runs.status', '<>', 'running')
    .where('runs.open_seq', 'is', null)
    .where('runs.reserved', 'is', null)
    .whereRef('sessions.position', '=', 'runs.session')
    .where('sessions.deleted_at', 'is', null)
    .orderBy('runs.session', 'desc')
    .orderBy('runs.accepted_seq', 'desc')
    .limit(limit);
  if (tenantId !== undefined) query = query.where('sessions.tenant_id', '=', tenantId);
  if (before) {
    query = query.where((eb) =>
      eb(eb.refTuple('runs.session', 'runs.accepted_seq'), '<', eb.tuple(before.session, before.acceptedSeq)),
    );
  }
  const rows = database.all(query);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    runs: rows.map((row) => ({
      tenantId: row.tenant_id,
      ownerId: row.owner_id,
      sessionId: row.session_id,
      runId: row.run_id,
      status: row.status,
      usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
      steps: row.steps,
      pending: JSON.parse(row.pending ?? '[]') as string[],
    })),
    next: last ? { session: last.session, acceptedSeq: last.accepted_seq } : null,
  };
}
