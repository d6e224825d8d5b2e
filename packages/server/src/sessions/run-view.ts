import { formatCursor, type Run } from '@llmgine/protocol';
import type { RunSummary } from '../storage/types.ts';

/** A run as clients see it. */
export function toRun(row: RunSummary, epoch: string): Run {
  return {
    run_id: row.runId,
    session_id: row.sessionId,
    engine_id: row.engineId,
    engine_type: row.engineType,
    command: row.command,
    status: row.status,
    result: row.result,
    usage: row.usage,
    error: row.error,
    cursor: formatCursor(epoch, row.acceptedSeq - 1),
    created_at: new Date(row.createdAt).toISOString(),
    started_at: row.startedAt === null ? null : new Date(row.startedAt).toISOString(),
    finished_at: row.finishedAt === null ? null : new Date(row.finishedAt).toISOString(),
  };
}
