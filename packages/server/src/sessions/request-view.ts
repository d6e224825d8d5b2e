import type { InputRequest } from '@llmgine/protocol';
import type { RequestRow } from '../storage/types.ts';

/** A request to people as clients see it. */
export function toRequest(row: RequestRow): InputRequest {
  const { resolution, claimedUntil } = row;
  const claimed = resolution === null && claimedUntil !== null && claimedUntil > Date.now();
  return {
    request_id: row.requestId,
    kind: row.kind,
    prompt: row.prompt,
    schema: row.schema,
    ...(row.arguments === undefined ? {} : { arguments: row.arguments }),
    ...(row.toolName === null ? {} : { tool_name: row.toolName }),
    ...(row.toolCallId === null ? {} : { tool_call_id: row.toolCallId }),
    expires_at: new Date(row.expiresAt).toISOString(),
    run_id: row.runId,
    status: resolution ? 'resolved' : 'pending',
    created_at: new Date(row.createdAt).toISOString(),
    claimed_until: claimed ? new Date(claimedUntil).toISOString() : null,
    outcome: resolution?.outcome ?? null,
    by: resolution?.by ?? null,
    resolved_at: resolution ? new Date(resolution.at).toISOString() : null,
  };
}
