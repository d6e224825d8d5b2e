import type { JsonObject, Usage } from '@llmgine/protocol';
import type { Selectable } from 'kysely';
import type { SessionsTable } from './tables.ts';
import type { EngineRow, ForkOrigin, SessionRow } from './types.ts';

/** How a metadata value is compared; null for what cannot be filtered by. */
export function metadataText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) return null;
  return JSON.stringify(value) ?? null;
}

export function engineColumns(
  engine: EngineRow | null,
): Pick<SessionsTable, 'engine_id' | 'engine_type' | 'engine_config' | 'engine_status'> {
  return {
    engine_id: engine?.engineId ?? null,
    engine_type: engine?.engineType ?? null,
    engine_config: engine ? JSON.stringify(engine.config) : null,
    engine_status: engine?.status ?? null,
  };
}

export function forkColumn(origin: ForkOrigin | null | undefined): string | null {
  return origin ? JSON.stringify(origin) : null;
}

export function toSession(row: Selectable<SessionsTable>): SessionRow {
  return {
    tenantId: row.tenant_id,
    ownerId: row.owner_id,
    sessionId: row.session_id,
    epoch: row.epoch,
    headSeq: row.head_seq,
    name: row.name,
    metadata: JSON.parse(row.metadata) as JsonObject,
    createdAt: row.created_at,
    lastInteractionAt: row.last_interaction_at,
    unfinishedRuns: row.unfinished_runs,
    engine: toEngine(row),
    usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
    steps: row.steps,
    elapsedMs: row.elapsed_ms,
    forkedFrom: row.forked_from === null ? null : (JSON.parse(row.forked_from) as ForkOrigin),
  };
}

function toEngine(row: Selectable<SessionsTable>): EngineRow | null {
  const { engine_id, engine_type, engine_config, engine_status } = row;
  if (engine_id === null || engine_type === null || engine_config === null || engine_status === null)
    return null;
  return {
    engineId: engine_id,
    engineType: engine_type,
    config: JSON.parse(engine_config) as JsonObject,
    status: engine_status,
  };
}
