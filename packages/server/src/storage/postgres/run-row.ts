import type { ErrorObject, Json, JsonObject, Usage } from '@llmgine/protocol';
import type { Selectable } from 'kysely';
import { toReservation } from '../run-use.ts';
import type { RunsTable } from '../tables.ts';
import type { RunRow, RunSummary, SessionKey } from '../types.ts';
import { decode } from './text.ts';

/** The columns of a `RunSummary`. */
export const SUMMARY = [
  'r.run_id',
  'r.accepted_seq',
  'r.status',
  'r.open_seq',
  'r.attempt',
  'r.created_at',
  'r.started_at',
  'r.finished_at',
  'r.engine_id',
  'r.engine_type',
  'r.command',
  'r.result',
  'r.usage',
  'r.error',
] as const;

type Run = Selectable<RunsTable>;
type WithoutTable<Name extends string> = Name extends `r.${infer Column}` ? Column : never;
export type Summary = Pick<Run, WithoutTable<(typeof SUMMARY)[number]>>;

export function toRun(row: Run, key: SessionKey): RunRow {
  return {
    ...toSummary(row, key),
    engineConfig: JSON.parse(row.engine_config) as JsonObject,
    parameters: JSON.parse(row.parameters) as JsonObject,
    bodyHash: decode(row.body_hash),
    elapsedMs: row.elapsed_ms,
    recoveries: row.recoveries,
    steps: row.steps,
    reserved: toReservation(row.reserved),
  };
}

export function toSummary(row: Summary, { tenantId, ownerId, sessionId }: SessionKey): RunSummary {
  return {
    tenantId,
    ownerId,
    sessionId,
    runId: decode(row.run_id),
    engineId: decode(row.engine_id),
    engineType: decode(row.engine_type),
    command: decode(row.command),
    status: row.status,
    acceptedSeq: row.accepted_seq,
    openSeq: row.open_seq,
    attempt: row.attempt,
    result: JSON.parse(row.result) as Json,
    usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
    error: row.error === null ? null : (JSON.parse(row.error) as ErrorObject),
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
