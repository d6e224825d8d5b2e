/** A life of some sessions in which every kind of write and every question to the storage occurs. */
import {
  appended,
  ask,
  createRequest,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  NO_LIMIT,
  newRequest,
  newSession,
  OWNER,
  parkedRun,
  queueRun,
  recoverRun,
  releaseRun,
  resolveRequest,
  said,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import type { IdempotencyRecord, SessionKey, Storage } from '../../src/storage/types.ts';
import { useAudit } from './audit-use.ts';
import { useBrowserSessions } from './browser-session-use.ts';
import { useFiles } from './file-use.ts';
import { useKeys } from './key-use.ts';

const answer = (idempotencyKey: string): IdempotencyRecord => ({
  ...OWNER,
  idempotencyKey,
  bodyHash: 'hash',
  response: '{}',
  createdAt: 1,
});

export async function useEverything(storage: Storage): Promise<void> {
  const session = await createSession(storage, {
    engine: ENGINE,
    metadata: { a: 1, b: 2 },
    events: [event('engine_linked')],
  });
  await storage.createSession(newSession(), NO_LIMIT, answer('made'));
  await storage.createSession(newSession(), 0, answer('not made'));
  const runId = await speak(storage, session);
  await haveRequests(storage, await createSession(storage, { engine: ENGINE }));
  await read(storage, session, runId);
  await cleanUp(storage, session);
}

async function speak(storage: Storage, session: SessionKey): Promise<string> {
  const runId = await startedRun(storage, session);
  await queueRun(storage, session);
  const open = { kind: 'open_message', runId, eventIndex: 0 } as const;
  const says = (type: string) => event(type, { runId });
  await appended(storage, session, {
    fence: fence(runId),
    events: [says('message_started'), says('text_delta'), says('text_delta')],
    writes: [open, { kind: 'checkpoint', runId, usage: null, elapsedMs: 1 }],
  });
  await storage.snapshot(session, { limit: 10 });
  await appended(storage, session, {
    fence: fence(runId),
    events: [said('hi', { runId, eventId: 'one' })],
    writes: [
      { kind: 'insert_message', eventIndex: 0, streamed: true },
      { ...open, eventIndex: null },
      { kind: 'set_engine_status', engineId: ENGINE.engineId, status: 'failed' },
      finishRun(runId),
    ],
    touchedAt: 9000,
    idempotency: answer('said'),
  });
  return runId;
}

async function haveRequests(storage: Storage, session: SessionKey): Promise<void> {
  const { requestId } = await parkedRun(storage, session);
  const claim = { kind: 'claim_request', requestId, by: 'somebody', at: 1, until: 2 } as const;
  await appended(storage, session, { writes: [claim, resolveRequest(requestId)] });
  const other = await createSession(storage, { engine: ENGINE });
  const runId = await startedRun(storage, other);
  await ask(storage, other, runId);
  const request = newRequest(runId);
  await appended(storage, other, {
    events: [event('input_requested', { runId })],
    writes: [createRequest(request), resolveRequest(request.requestId), releaseRun(runId)],
  });
  await appended(storage, other, { writes: [recoverRun(runId, 1)] });
}

async function read(storage: Storage, session: SessionKey, runId: string): Promise<void> {
  const page = { limit: 10, before: 100 };
  await storage.getSession(session);
  await storage.counts();
  await storage.touchSessions([{ key: session, at: 10_000 }]);
  await storage.readEvents(session, 0, 10);
  await storage.runEvents(session, runId, ['message_completed', 'tool_result']);
  await storage.readMessages(session, page);
  await storage.conversation(session, 10);
  await storage.getRun(session, runId);
  await storage.listRuns(session, { limit: 10 });
  await storage.listRuns(session, { ...page, status: 'failed' });
  await storage.nextRun(session);
  await storage.countUnfinishedRuns(session, 100);
  await storage.unfinishedRunIds(session);
  await storage.unfinishedRuns({ limit: 10 });
  await storage.unfinishedRuns({ limit: 10, tenantId: 'tenant', before: { session: 100, acceptedSeq: 1 } });
  await storage.unfinishedRuns({ limit: 10, status: 'running' });
  await storage.waitingRuns({ limit: 10 });
  await storage.waitingRuns({ limit: 10, tenantId: 'tenant', before: { session: 100, acceptedSeq: 1 } });
  await storage.countQueuedRuns();
  await storage.sessionsWithQueuedRuns();
  await storage.orphanedRuns();
  await storage.getRequest(session, 'none');
  for (const pending of [undefined, true, false]) {
    for (const position of [{}, { before: 100 }]) {
      const options = { limit: 10, ...position, ...(pending === undefined ? {} : { pending }) };
      await storage.listRequests(session, options);
    }
  }
  await storage.requestsOfRun(session, runId);
  await storage.dueRequests(NO_LIMIT, 10);
  await storage.nextRequestExpiry();
  await storage.getIdempotency(OWNER, 'said');
}

async function cleanUp(storage: Storage, session: SessionKey): Promise<void> {
  await storage.compactEvents(NO_LIMIT, 1);
  await storage.compactEvents(NO_LIMIT, 10);
  await storage.nextCompaction();
  await storage.pruneEvents(2, 10);
  await storage.pruneEvents(NO_LIMIT, 10);
  await storage.nextPrune();
  await storage.pruneIdempotency(2, 1);
  await storage.pruneUsage('9999-12-31', 1);
  await storage.oldestUsage();
  await useFiles(storage, session);
  await useAudit(storage);
  await useKeys(storage);
  await useBrowserSessions(storage);
  await storage.deleteSession(session, answer('deleted'));
  await storage.expireSessions(1001, 10);
  await storage.nextExpiry();
  await storage.purge(1);
  await storage.purge(10);
}
