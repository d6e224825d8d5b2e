import { ApiError, type ForkSessionBody, type SessionForked } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type { ForkPoint, IdempotencyRecord, NewSession, SessionRow } from '../../storage/types.ts';
import { newSessionId } from '../session-id.ts';
import { toForkOrigin } from './fork-origin.ts';
import { newEngineId, type TransferOptions } from './options.ts';

/**
 * Makes a session of the same caller that goes on from the end of a run. Ids of messages, runs and tool calls stay: they
 * are unique in a session, and what providers have signed names them. `keep` makes the record of what the caller is
 * answered. Throws `VALIDATION_ERROR` when `at` is no message of the session or not the last of a run that has ended,
 * `RESOURCE_LIMIT_EXCEEDED`, `IDEMPOTENCY_IN_PROGRESS` and `SESSION_NOT_FOUND`.
 */
export async function forkSession(
  { storage, sessions, engines, report }: TransferOptions,
  parent: SessionRow,
  { at, name }: ForkSessionBody,
  keep?: (answer: SessionForked) => IdempotencyRecord | undefined,
): Promise<SessionForked> {
  const point = await findPoint(storage, parent, at ?? null);
  const engine = parent.engine && { ...parent.engine, engineId: newEngineId() };
  const { tenantId, ownerId } = parent;
  const fork: NewSession = {
    tenantId,
    ownerId,
    sessionId: newSessionId(),
    epoch: nanoid(12),
    name: name ?? parent.name,
    metadata: parent.metadata,
    createdAt: Date.now(),
    engine,
    events: engine ? [engines.linkedEvent(engine)] : [],
    forkedFrom: { sessionId: parent.sessionId, messageId: point.messageId },
  };
  const answer: SessionForked = {
    session_id: fork.sessionId,
    status: 'success',
    forked_from: toForkOrigin({ sessionId: parent.sessionId, messageId: point.messageId }),
  };
  const record = keep?.(answer);
  try {
    await sessions.adopt(fork, point.headSeq, async (room) => {
      const made = await storage.transfers.fork(parent, point, fork, room, record);
      if (made === 'not_there') throw new ApiError('SESSION_NOT_FOUND');
      return made;
    });
    return answer;
  } catch (error) {
    // It may have been copied in part.
    await storage.transfers.abandon(fork).catch((failure: unknown) => report('abandon a fork', failure));
    sessions.purge();
    throw error;
  }
}

async function findPoint(
  storage: TransferOptions['storage'],
  parent: SessionRow,
  at: string | null,
): Promise<ForkPoint> {
  const point = await storage.transfers.forkPoint(parent, at);
  if (point === 'session_not_found') throw new ApiError('SESSION_NOT_FOUND');
  if (point === 'message_not_found') throw notHere('is no message of this session');
  if (point === 'not_a_run_end') {
    throw notHere(
      'must be the last message of a run that has ended, and so have those before it; leave it out for the newest one',
    );
  }
  return point;
}

function notHere(message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', `at ${message}`, { errors: [{ path: 'at', message }] });
}
