import { expect, it } from 'vitest';
import type { Scope, SessionKey, Storage } from '../../../packages/server/src/storage/types.ts';
import {
  ALL,
  appended,
  ask,
  createSession,
  ENGINE,
  event,
  INSERT_MESSAGE,
  newSession,
  type OpenFresh,
  OWNER,
  said,
  startedRun,
  useStorage,
} from './fixtures.ts';

interface Target {
  readonly key: SessionKey;
  readonly runId: string;
  readonly requestId: string;
}

/** What everybody gets to see of a session that is not theirs: the same as of one that does not exist. */
const ASKS: Readonly<Record<string, (storage: Storage, target: Target) => Promise<unknown>>> = {
  append: (storage, { key }) => storage.append([{ session: key, events: [event()], touchedAt: 9999 }]),
  getSession: (storage, { key }) => storage.getSession(key),
  listSessions: (storage, { key }) => storage.listSessions(key, { ...ALL, metadata: { secret: 'canary' } }),
  touchSessions: (storage, { key }) => storage.touchSessions([{ key, at: 9999 }]),
  deleteSession: (storage, { key }) => storage.deleteSession(key),
  readEvents: (storage, { key }) => storage.readEvents(key, 0, 100),
  readMessages: (storage, { key }) => storage.readMessages(key, { limit: 100 }),
  runEvents: (storage, { key, runId }) => storage.runEvents(key, runId, ['run_started']),
  snapshot: (storage, { key }) => storage.snapshot(key, { limit: 100 }),
  conversation: (storage, { key }) => storage.conversation(key, Number.MAX_SAFE_INTEGER),
  getRun: (storage, { key, runId }) => storage.getRun(key, runId),
  listRuns: (storage, { key }) => storage.listRuns(key, { limit: 100 }),
  nextRun: (storage, { key }) => storage.nextRun(key),
  countUnfinishedRuns: (storage, { key }) => storage.countUnfinishedRuns(key, Number.MAX_SAFE_INTEGER),
  unfinishedRunIds: (storage, { key }) => storage.unfinishedRunIds(key),
  getRequest: (storage, { key, requestId }) => storage.getRequest(key, requestId),
  listRequests: (storage, { key }) => storage.listRequests(key, { limit: 100 }),
  requestsOfRun: (storage, { key, runId }) => storage.requestsOfRun(key, runId),
  usageOn: (storage, { key }) => storage.usageOn(key, '2026-01-01'),
  getIdempotency: (storage, { key }) => storage.getIdempotency(key, 'canary'),
};

/** Asked by the server itself, for all sessions; what they answer with names its owner. */
const OF_THE_SERVER = [
  'createSession',
  'expireSessions',
  'nextExpiry',
  'purge',
  'counts',
  'unfinishedRuns',
  'waitingRuns',
  'countQueuedRuns',
  'sessionsWithQueuedRuns',
  'orphanedRuns',
  'dueRequests',
  'nextRequestExpiry',
  'compactEvents',
  'nextCompaction',
  'pruneEvents',
  'nextPrune',
  'pruneIdempotency',
  'pruneUsage',
  'oldestUsage',
  'check',
  'close',
];

const STRANGERS: Readonly<Record<string, Scope>> = {
  'another owner': { ...OWNER, ownerId: 'somebody else' },
  'another tenant': { ...OWNER, tenantId: 'another' },
  'an owner of the same name in another tenant': { tenantId: 'another', ownerId: OWNER.ownerId },
  nobody: { tenantId: '', ownerId: '' },
  'a pattern': { tenantId: '%', ownerId: "' or 1=1 --" },
};

export function describeIsolation(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  async function target(storage: Storage): Promise<Target> {
    const key = await createSession(storage, { engine: ENGINE, metadata: { secret: 'canary' } });
    const runId = await startedRun(storage, key);
    await appended(storage, key, {
      events: [said('canary', { runId })],
      writes: [INSERT_MESSAGE],
      idempotency: { ...key, idempotencyKey: 'canary', bodyHash: 'hash', response: '{}', createdAt: 1000 },
    });
    const at = Date.UTC(2026, 0, 1);
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    await appended(storage, key, {
      writes: [{ kind: 'checkpoint', runId, usage, elapsedMs: 1, at }],
    });
    const requestId = await ask(storage, key, runId);
    return { key, runId, requestId };
  }

  it('has a row here for every method', () => {
    const properties = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(data.storage));
    const methods = Object.keys(properties).filter(
      (name) => name !== 'constructor' && typeof properties[name]?.value === 'function',
    );

    expect([...Object.keys(ASKS), ...OF_THE_SERVER].sort()).toEqual(methods.sort());
  });

  for (const [method, askFor] of Object.entries(ASKS)) {
    it(`${method} tells strangers nothing and changes nothing for them`, async () => {
      const { storage } = data;
      const { key, ...ids } = await target(storage);
      const nowhere = newSession({ tenantId: 'nowhere', ownerId: 'nobody' });
      const nothing = await askFor(storage, { key: nowhere, ...ids });
      const before = [await storage.getSession(key), await storage.snapshot(key, { limit: 100 })];

      for (const [name, scope] of Object.entries(STRANGERS)) {
        expect(await askFor(storage, { key: { ...key, ...scope }, ...ids }), name).toEqual(nothing);
      }

      expect([await storage.getSession(key), await storage.snapshot(key, { limit: 100 })]).toEqual(before);
      // The owner does get an answer: the table asks for something that is there.
      if (method !== 'touchSessions') expect(await askFor(storage, { key, ...ids })).not.toEqual(nothing);
    });
  }
}
