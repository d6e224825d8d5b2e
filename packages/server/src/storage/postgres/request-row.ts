import type { Json, JsonObject } from '@llmgine/protocol';
import type { Selectable } from 'kysely';
import type { RequestsTable } from '../tables.ts';
import type { RequestRow, Resolution, SessionKey } from '../types.ts';
import { decode, decodeNullable } from './text.ts';

type Request = Selectable<RequestsTable>;

export function toRequest(row: Request, { tenantId, ownerId, sessionId }: SessionKey): RequestRow {
  return {
    tenantId,
    ownerId,
    sessionId,
    requestId: decode(row.request_id),
    runId: decode(row.run_id),
    requestKey: decode(row.request_key),
    kind: row.kind,
    prompt: decode(row.prompt),
    schema: row.schema === null ? null : (JSON.parse(row.schema) as JsonObject),
    arguments: toJson(row.arguments),
    toolName: decodeNullable(row.tool_name),
    toolCallId: decodeNullable(row.tool_call_id),
    seq: row.seq,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    claimedBy: decodeNullable(row.claimed_by),
    claimedUntil: row.claimed_until,
    resolution: toResolution(row),
  };
}

function toResolution(row: Request): Resolution | null {
  const { outcome, resolved_by, resolved_at: at } = row;
  if (outcome === null || resolved_by === null || at === null) return null;
  return {
    outcome,
    by: decode(resolved_by),
    value: toJson(row.value),
    reason: decodeNullable(row.reason),
    at,
  };
}

function toJson(text: string | null): Json | undefined {
  return text === null ? undefined : (JSON.parse(text) as Json);
}
