import { describe, expect, it } from 'vitest';
import type { Resolution } from '../../../packages/server/src/storage/types.ts';
import {
  append,
  appended,
  ask,
  createRequest,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  newRequest,
  type OpenFresh,
  outcomeOf,
  parkedRun,
  parkRun,
  queueRun,
  readLog,
  releaseRun,
  resolveRequest,
  startedRun,
  useStorage,
} from './fixtures.ts';

export function describeRequests(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('asking', () => {
    it('keeps what was asked as it is (S5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const full = newRequest(runId, {
        requestKey: 'tool:\u0000 🚀',
        kind: 'client_tool',
        prompt: 'ünï \u0000',
        schema: { type: 'object', properties: { a: {} } },
        arguments: { deep: [{ a: null }] },
        toolName: 'open_file',
        toolCallId: 'call_1',
      });
      const bare = newRequest(runId, { kind: 'form', arguments: undefined });
      const nothing = newRequest(runId, { arguments: null });

      await appended(storage, session, {
        fence: fence(runId),
        events: [event(), event('input_requested'), event('input_requested'), event('input_requested')],
        writes: [createRequest(full, 1), createRequest(bare, 2), createRequest(nothing, 3)],
      });

      const pending = { ...session, claimedBy: null, claimedUntil: null, resolution: null };
      expect(await storage.getRequest(session, full.requestId)).toStrictEqual({
        ...pending,
        ...full,
        seq: 4,
      });
      expect(await storage.getRequest(session, bare.requestId)).toStrictEqual({
        ...pending,
        ...bare,
        seq: 5,
      });
      expect((await storage.getRequest(session, nothing.requestId))?.arguments).toBeNull();
      expect(await storage.getRequest(session, 'another')).toBeNull();
    });

    it('is once under each key of a run, whatever became of the request (P5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const requestId = await ask(storage, session, runId, { requestKey: 'key' });
      const again = {
        events: [event('input_requested')],
        writes: [createRequest(newRequest(runId, { requestKey: 'key' }))],
      };

      const pending = await append(storage, session, again);
      await appended(storage, session, { writes: [resolveRequest(requestId)] });
      const resolved = await append(storage, session, again);
      await ask(storage, other, await startedRun(storage, other), { requestKey: 'key', requestId });

      expect([pending, resolved]).toEqual(Array(2).fill({ ok: false, reason: 'request_exists' }));
      expect(await readLog(storage, session)).toHaveLength(3);
      expect(await storage.requestsOfRun(session, runId)).toHaveLength(1);
    });

    it('is for running runs only (P6)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const waiting = await queueRun(storage, session);
      const asks = (of: string) => outcomeOf(storage, session, createRequest(newRequest(of)));

      const refused = [await asks(waiting), await asks('another')];
      await appended(storage, session, { writes: [finishRun(runId)] });
      refused.push(await asks(runId));

      expect(refused).toEqual(Array(3).fill('run_not_in_state'));
    });
  });

  describe('claiming (P5)', () => {
    it('holds a request until its time is over, and is prolonged by who holds it', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const requestId = await ask(storage, session, runId);
      const claim = (by: string, at: number, until: number) =>
        outcomeOf(storage, session, { kind: 'claim_request', requestId, by, at, until });

      expect(await claim('one', 5000, 6000)).toBe(true);
      expect(await claim('two', 5999, 9000)).toBe('request_claimed');
      expect(await claim('one', 5500, 7000)).toBe(true);
      expect(await claim('two', 6999, 9000)).toBe('request_claimed');
      expect(await claim('two', 7000, 9000)).toBe(true);
      expect(await storage.getRequest(session, requestId)).toMatchObject({
        claimedBy: 'two',
        claimedUntil: 9000,
      });
    });

    it('needs a request that is pending', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const requestId = await ask(storage, session, runId);
      await appended(storage, session, { writes: [resolveRequest(requestId)] });
      const claim = (id: string) =>
        outcomeOf(storage, session, { kind: 'claim_request', requestId: id, by: 'one', at: 1, until: 2 });

      expect([await claim(requestId), await claim('another')]).toEqual(Array(2).fill('request_not_pending'));
    });
  });

  describe('resolving', () => {
    it('is once, and keeps the answer as it is (P5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const answered = await ask(storage, session, runId);
      const empty = await ask(storage, session, runId);
      const answer: Resolution = {
        outcome: 'submitted',
        by: 'ünï \u0000',
        value: { deep: [null, '\ud800'] },
        reason: 'so \u0000 🚀',
        at: 4900,
      };

      await appended(storage, session, {
        writes: [
          resolveRequest(answered, answer),
          resolveRequest(empty, { outcome: 'expired', by: 'system', value: null }),
        ],
      });
      const again = [
        await outcomeOf(storage, session, resolveRequest(answered, { outcome: 'denied' })),
        await outcomeOf(storage, session, resolveRequest('another')),
      ];

      expect(again).toEqual(Array(2).fill('request_not_pending'));
      expect((await storage.getRequest(session, answered))?.resolution).toStrictEqual(answer);
      expect((await storage.getRequest(session, empty))?.resolution).toStrictEqual({
        outcome: 'expired',
        by: 'system',
        value: null,
        reason: null,
        at: 4900,
      });
    });

    it('of the last pending request queues the parked run again (P6)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const first = await ask(storage, session, runId);
      const second = await ask(storage, session, runId);
      await appended(storage, session, { writes: [parkRun(runId)] });
      const status = async () => (await storage.getRun(session, runId))?.status;

      const states: unknown[] = [await status(), await storage.sessionsWithQueuedRuns()];
      await appended(storage, session, { writes: [resolveRequest(second)] });
      states.push(await status(), await storage.countQueuedRuns());
      await appended(storage, session, { writes: [resolveRequest(first)] });
      states.push(await status(), await storage.countQueuedRuns());

      expect(states).toEqual(['awaiting_input', [], 'awaiting_input', 0, 'queued', 1]);
      expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
      expect(await storage.orphanedRuns()).toEqual([]);
    });

    it('while its run is running leaves the run alone (P6)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const requestId = await ask(storage, session, runId);

      await appended(storage, session, { writes: [resolveRequest(requestId)] });

      expect((await storage.getRun(session, runId))?.status).toBe('running');
    });
  });

  describe('the end of a run (P6)', () => {
    it('is refused while one of its requests is pending', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const parked = await parkedRun(storage, session);
      const end = finishRun(parked.runId, { from: ['awaiting_input'], status: 'cancelled' });

      const refused = await outcomeOf(storage, session, end);
      const elsewhere = await outcomeOf(storage, session, finishRun(parked.runId, { from: ['running'] }));

      expect([refused, elsewhere]).toEqual(['request_pending', 'run_not_in_state']);
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(1);
    });

    it('comes in the append that resolves them', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const { runId, requestId } = await parkedRun(storage, session);

      await appended(storage, session, {
        events: [event('input_resolved', { runId }), event('run_finished', { runId })],
        writes: [
          resolveRequest(requestId, { outcome: 'cancelled', by: 'system' }),
          // It was queued again by what came before.
          finishRun(runId, { from: ['queued', 'awaiting_input'], status: 'cancelled' }),
        ],
      });

      expect(await storage.getRun(session, runId)).toMatchObject({ status: 'cancelled', finishedAt: 5000 });
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(0);
      expect(await storage.countQueuedRuns()).toBe(0);
      expect((await storage.getRequest(session, requestId))?.resolution?.outcome).toBe('cancelled');
    });
  });

  it('are as they were when a later write of the append is refused (S4)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE });
    const { runId, requestId } = await parkedRun(storage, session);
    const before = [await storage.getRequest(session, requestId), await storage.getRun(session, runId)];
    const claim = { kind: 'claim_request', requestId, by: 'one', at: 5000, until: 6000 } as const;

    const refused = [
      await outcomeOf(
        storage,
        session,
        claim,
        resolveRequest(requestId),
        finishRun(runId, { from: ['running'] }),
      ),
      await outcomeOf(storage, session, resolveRequest(requestId), resolveRequest(requestId)),
    ];

    expect(refused).toEqual(['run_not_in_state', 'request_not_pending']);
    expect([await storage.getRequest(session, requestId), await storage.getRun(session, runId)]).toEqual(
      before,
    );
    expect(await storage.countQueuedRuns()).toBe(0);
  });

  describe('lists', () => {
    it('are newest first, in pages, pending or resolved (S2)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) ids.unshift(await ask(storage, session, runId));
      await appended(storage, session, { writes: [resolveRequest(ids[0]!), resolveRequest(ids[3]!)] });
      const list = async (options: { limit: number; before?: number; pending?: boolean }) => {
        const { requests, next } = await storage.listRequests(session, options);
        return { ids: requests.map(({ requestId }) => requestId), next };
      };

      const first = await list({ limit: 3 });
      const second = await list({ limit: 3, before: first.next ?? 0 });
      const pending = await list({ limit: 2, pending: true });

      expect([first.ids, second.ids]).toEqual([ids.slice(0, 3), ids.slice(3)]);
      expect(second.next).toBeNull();
      expect(pending.ids).toEqual([ids[1], ids[2]]);
      expect(await list({ limit: 2, pending: true, before: pending.next ?? 0 })).toEqual({
        ids: [ids[4]],
        next: null,
      });
      expect(await list({ limit: 2, pending: false })).toEqual({ ids: [ids[0], ids[3]], next: null });
    });

    it('of a run and of a snapshot are oldest first (S5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const first = await startedRun(storage, session);
      const second = await startedRun(storage, session);
      const ids = [
        await ask(storage, session, first),
        await ask(storage, session, second),
        await ask(storage, session, first),
        await ask(storage, session, first),
      ];
      await appended(storage, session, { writes: [resolveRequest(ids[2]!), releaseRun(second)] });

      const ofFirst = await storage.requestsOfRun(session, first);
      const snapshot = await storage.snapshot(session, { limit: 1 });

      expect(ofFirst.map(({ requestId }) => requestId)).toEqual([ids[0], ids[2], ids[3]]);
      expect(snapshot?.pendingRequests).toEqual([
        await storage.getRequest(session, ids[0]!),
        await storage.getRequest(session, ids[1]!),
        await storage.getRequest(session, ids[3]!),
      ]);
      expect(await storage.requestsOfRun(session, 'another')).toEqual([]);
    });
  });

  describe('deadlines (P6)', () => {
    it('are known for all sessions, the earliest first', async () => {
      const { storage } = data;
      const none = [await storage.nextRequestExpiry(), await storage.dueRequests(1e9, 10)];
      const session = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE, ownerId: 'other' });
      const runId = await startedRun(storage, session);
      const late = await ask(storage, session, runId, { expiresAt: 9000 });
      const early = await ask(storage, session, runId, { expiresAt: 7000 });
      const middle = await ask(storage, other, await startedRun(storage, other), { expiresAt: 8000 });
      const due = async (now: number, limit: number) =>
        (await storage.dueRequests(now, limit)).map(({ requestId }) => requestId);

      expect(none).toEqual([null, []]);
      expect(await storage.nextRequestExpiry()).toBe(7000);
      expect(await due(6999, 10)).toEqual([]);
      expect(await due(9000, 10)).toEqual([early, middle, late]);
      expect(await due(9000, 2)).toEqual([early, middle]);
      expect(await storage.dueRequests(8000, 10)).toContainEqual(await storage.getRequest(other, middle));
      await appended(storage, session, { writes: [resolveRequest(early)] });
      expect(await storage.nextRequestExpiry()).toBe(8000);
      expect(await due(9000, 10)).toEqual([middle, late]);
    });

    it('of deleted sessions are none', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const { requestId } = await parkedRun(storage, session);

      await storage.deleteSession(session);

      expect(await storage.getRequest(session, requestId)).toBeNull();
      expect(await storage.nextRequestExpiry()).toBeNull();
      expect(await storage.dueRequests(1e9, 10)).toEqual([]);
      while (await storage.purge(1)) expect(await storage.nextRequestExpiry()).toBeNull();
    });
  });
}
