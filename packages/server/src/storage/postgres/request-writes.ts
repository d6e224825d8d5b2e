import type { AppendRefusal, Write } from '../types.ts';
import { encode, encodeNullable } from './text.ts';
import type { AppendDraft } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

/** `runId` as its column holds it. */
export function hasPending({ session }: AppendDraft, runId: string): boolean {
  for (const request of session.now.requests.values()) {
    if (request.run_id === runId && request.outcome === null) return true;
  }
  return false;
}

export function createRequest(
  append: AppendDraft,
  { request, eventIndex }: WriteOf<'create_request'>,
): AppendRefusal | undefined {
  const { now } = append.session;
  const [requestId, runId, key] = [request.requestId, request.runId, request.requestKey].map(encode) as [
    string,
    string,
    string,
  ];
  for (const other of now.requests.values()) {
    if (other.run_id === runId && other.request_key === key) return 'request_exists';
  }
  if (now.runs.get(runId)?.status !== 'running') return 'run_not_in_state';
  // Ids are made up here; the same one twice is a bug, not a change.
  if (now.requests.has(requestId)) throw new RangeError(`There is a request ${requestId} already`);
  now.requests.set(requestId, {
    run_id: runId,
    request_key: key,
    claimed_by: null,
    claimed_until: null,
    outcome: null,
    resolved_by: null,
    resolved_at: null,
    value: null,
    reason: null,
    added: {
      seq: append.firstSeq + eventIndex,
      kind: request.kind,
      created_at: request.createdAt,
      expires_at: request.expiresAt,
      tool_name: encodeNullable(request.toolName),
      tool_call_id: encodeNullable(request.toolCallId),
      prompt: encode(request.prompt),
      schema: request.schema && JSON.stringify(request.schema),
      arguments: jsonText(request.arguments),
    },
  });
  return undefined;
}

export function claimRequest(
  { session }: AppendDraft,
  write: WriteOf<'claim_request'>,
): AppendRefusal | undefined {
  const { at, until } = write;
  const [requestId, by] = [encode(write.requestId), encode(write.by)];
  const found = session.now.requests.get(requestId);
  if (!found || found.outcome !== null) return 'request_not_pending';
  const held = found.claimed_until !== null && found.claimed_until > at;
  if (held && found.claimed_by !== by) return 'request_claimed';
  session.now.requests.set(requestId, { ...found, claimed_by: by, claimed_until: until });
  return undefined;
}

/** Of which run it was, or why it is refused. */
export function resolveRequest(
  { session }: AppendDraft,
  write: WriteOf<'resolve_request'>,
): { readonly runId: string } | AppendRefusal {
  const { outcome, by, value, reason, at } = write.resolution;
  const requestId = encode(write.requestId);
  const found = session.now.requests.get(requestId);
  if (!found || found.outcome !== null) return 'request_not_pending';
  session.now.requests.set(requestId, {
    ...found,
    outcome,
    resolved_by: encode(by),
    resolved_at: at,
    value: jsonText(value),
    reason: encodeNullable(reason),
  });
  return { runId: found.run_id };
}

/** Null, which no JSON text is, for what is undefined. */
function jsonText(value: unknown): string | null {
  return JSON.stringify(value) ?? null;
}
