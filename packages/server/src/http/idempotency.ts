/** `Idempotency-Key` on calls that change something: what a call did is done once, however often it is sent. */
import { createHash } from 'node:crypto';
import type { ErrorCode, Json } from '@llmgine/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Services } from '../services.ts';
import { canonicalJson } from '../sessions/canonical-json.ts';
import type { CallAnswer } from '../sessions/idempotency.ts';
import type { IdempotencyRecord } from '../storage/types.ts';
import { idempotencyKey } from './negotiation.ts';

/** For the schema of an operation that takes a key. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .meta({
      description:
        'At most 255 characters. The same key with the same body gets the first answer again, with ' +
        '`idempotency-replayed: true`; it is kept for 24 hours',
    }),
});

/** What an operation that takes a key can answer because of it. */
export const IDEMPOTENCY_PROBLEMS = [
  'VALIDATION_ERROR',
  'IDEMPOTENCY_MISMATCH',
  'IDEMPOTENCY_IN_PROGRESS',
] as const satisfies readonly ErrorCode[];

/** The record of an answer, for the transaction of what the call does; undefined when the caller gave no key. */
export type Keep<Body> = (answer: CallAnswer<Body>) => IdempotencyRecord | undefined;

/**
 * Answers a call with what `act` gives, or, where its key was used before, with what it gave then. `act` MUST write the
 * record that `keep` makes in the transaction of what it does, and throw when that is refused with `idempotency_exists`.
 * `bodyHash` is asked for a body that is no JSON.
 */
export async function answerOnce<Body extends Json>(
  services: Pick<Services, 'sessions'>,
  request: FastifyRequest,
  reply: FastifyReply,
  act: (keep: Keep<Body>) => Promise<CallAnswer<Body>>,
  bodyHash: () => string = () => hashOf(canonicalJson(request.body)),
): Promise<Body> {
  const key = idempotencyKey(request.raw.headers);
  if (key === undefined) return send(reply, await act(() => undefined));
  const { principal } = request;
  const call = {
    scope: { tenantId: principal.tenantId, ownerId: principal.id },
    key: `${placeOf(request)} ${key}`,
    bodyHash: bodyHash(),
  };
  const { replayed, ...answer } = await services.sessions.idempotency.run<Body>(call, act);
  if (replayed) void reply.header('idempotency-replayed', 'true');
  return send(reply, answer);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function send<Body>(reply: FastifyReply, { status, headers = {}, body }: CallAnswer<Body>): Body {
  void reply.code(status).headers(headers);
  return body;
}

/** The same for every spelling of an address. */
function placeOf({ method, routeOptions, params }: FastifyRequest): string {
  const { session_id, ...others } = (params ?? {}) as Record<string, string>;
  const names = session_id === undefined ? others : { ...others, session_id: session_id.toLowerCase() };
  return `${method} ${routeOptions.url} ${canonicalJson(names)}`;
}
