import { describe, expect, it } from 'vitest';
import {
  append,
  appended,
  ask,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  type OpenFresh,
  outcomeOf,
  parkedRun,
  parkRun,
  queueRun,
  readLog,
  recoverRun,
  releaseRun,
  resolveRequest,
  startedRun,
  startRun,
  useStorage,
} from './fixtures.ts';

const USAGE = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeRecovery(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  describe('attempts (P6)', () => {
    it('are taken one after the other, each once', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);
      const start = (attempt: number, at: number) =>
        outcomeOf(storage, session, startRun(runId, attempt, at));

      expect(await start(0, 3900)).toBe('run_not_in_state');
      expect(await start(2, 3900)).toBe('run_not_in_state');
      expect(await start(1, 4000)).toBe(true);
      expect(await start(2, 4100)).toBe('run_not_in_state');
      await appended(storage, session, { writes: [releaseRun(runId)] });
      expect(await start(1, 4200)).toBe('run_not_in_state');
      expect(await start(3, 4200)).toBe('run_not_in_state');
      expect(await start(2, 4300)).toBe(true);
      // It keeps the time of its first start.
      expect(await storage.getRun(session, runId)).toMatchObject({
        status: 'running',
        attempt: 2,
        startedAt: 4000,
      });
    });

    it('are fenced off by the next one', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const delta = async (attempt: number) => {
        const outcome = await append(storage, session, {
          fence: fence(runId, attempt),
          events: [event('text_delta', { runId })],
        });
        return outcome.ok || outcome.reason;
      };

      const before = [await delta(0), await delta(1), await delta(2)];
      await appended(storage, session, { writes: [releaseRun(runId)] });
      const between = [await delta(1), await delta(2)];
      await appended(storage, session, { writes: [startRun(runId, 2)] });
      const after = [await delta(1), await delta(2)];

      expect([before, between, after]).toEqual([
        ['fenced', true, 'fenced'],
        ['fenced', 'fenced'],
        ['fenced', true],
      ]);
      expect(await readLog(storage, session)).toHaveLength(4);
    });
  });

  it('remembers what a run had used at its last checkpoint (P2)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE });
    const runId = await startedRun(storage, session);

    await appended(storage, session, {
      fence: fence(runId),
      events: [event('step_finished', { runId })],
      writes: [{ kind: 'checkpoint', runId, usage: USAGE, elapsedMs: 1234 }],
    });

    expect(await storage.getRun(session, runId)).toMatchObject({
      status: 'running',
      usage: USAGE,
      elapsedMs: 1234,
    });
  });

  describe('parking (P6)', () => {
    it('keeps the place of the run and closes its open message', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const next = await queueRun(storage, session);
      await ask(storage, session, runId);
      await appended(storage, session, {
        events: [event('message_started', { runId })],
        writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
      });

      await appended(storage, session, { fence: fence(runId), writes: [parkRun(runId, 77)] });

      expect(await storage.nextRun(session)).toMatchObject({
        runId,
        status: 'awaiting_input',
        attempt: 1,
        openSeq: null,
        elapsedMs: 77,
      });
      expect(await storage.unfinishedRunIds(session)).toEqual([runId, next]);
      expect(await storage.getSession(session)).toMatchObject({ unfinishedRuns: 2 });
      expect((await storage.snapshot(session, { limit: 1 }))?.runs.map(({ status }) => status)).toEqual([
        'awaiting_input',
        'queued',
      ]);
      expect((await storage.listRuns(session, { limit: 9, status: 'awaiting_input' })).runs).toHaveLength(1);
      expect(await storage.nextExpiry()).toBeNull();
      expect(await append(storage, session, { fence: fence(runId), events: [event()] })).toEqual({
        ok: false,
        reason: 'fenced',
      });
    });

    it('needs something to wait for, and a running run', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const parks = () => outcomeOf(storage, session, parkRun(runId));

      const unasked = await parks();
      const requestId = await ask(storage, session, runId);
      await appended(storage, session, { writes: [resolveRequest(requestId)] });
      const answered = await parks();
      await ask(storage, session, runId);
      const parked = [await parks(), await parks()];

      expect([unasked, answered]).toEqual(['nothing_pending', 'nothing_pending']);
      expect(parked).toEqual([true, 'run_not_in_state']);
    });

    it('starts its next attempt when everything is answered, and not before', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const { runId, requestId } = await parkedRun(storage, session);

      const early = await outcomeOf(storage, session, startRun(runId, 2));
      await appended(storage, session, { writes: [resolveRequest(requestId)] });
      const now = await outcomeOf(storage, session, startRun(runId, 2));

      expect([early, now]).toEqual(['run_not_in_state', true]);
    });
  });

  describe('release (P6)', () => {
    it('queues a running run again, in its place', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      await queueRun(storage, session);
      await appended(storage, session, {
        events: [event('message_started', { runId })],
        writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
      });

      await appended(storage, session, { fence: fence(runId), writes: [releaseRun(runId, 50)] });
      const again = await outcomeOf(storage, session, releaseRun(runId));

      expect(again).toBe('run_not_in_state');
      expect(await storage.nextRun(session)).toMatchObject({
        runId,
        status: 'queued',
        attempt: 1,
        openSeq: null,
        elapsedMs: 50,
        recoveries: 0,
      });
      expect(await storage.countQueuedRuns()).toBe(2);
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(2);
    });
  });

  describe('recovery (P6)', () => {
    it('takes nothing from an owner that is there', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const running = await startedRun(storage, session);
      const queued = await queueRun(storage, session);

      expect(await outcomeOf(storage, session, recoverRun(running, 1))).toBe('run_not_in_state');
      expect(await outcomeOf(storage, session, recoverRun(queued, 0))).toBe('run_not_in_state');
      expect(await storage.orphanedRuns()).toEqual([]);
      expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
    });

    it('queues the runs of the process before, each once, and counts how often in a row', async (context) => {
      context.skip(memoryOnly !== undefined, memoryOnly);
      const session = await createSession(data.storage, { engine: ENGINE });
      const runId = await startedRun(data.storage, session);
      const waiting = await queueRun(data.storage, session);
      await appended(data.storage, session, {
        events: [event('message_started', { runId })],
        writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
      });

      let storage = await data.restart();
      const orphans = (await storage.orphanedRuns()).map(({ runId: id }) => id);
      const wrong = await outcomeOf(storage, session, recoverRun(runId, 2));
      await appended(storage, session, { writes: [recoverRun(runId, 1), recoverRun(waiting, 0)] });
      const again = await outcomeOf(storage, session, recoverRun(runId, 1));

      expect(orphans).toEqual([runId, waiting]);
      expect([wrong, again]).toEqual(['run_not_in_state', 'run_not_in_state']);
      expect(await storage.orphanedRuns()).toEqual([]);
      expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
      expect(await storage.getRun(session, runId)).toMatchObject({
        status: 'queued',
        attempt: 1,
        openSeq: null,
        recoveries: 1,
      });
      expect(await storage.getRun(session, waiting)).toMatchObject({ attempt: 0, recoveries: 0 });

      await appended(storage, session, { writes: [startRun(runId, 2)] });
      storage = await data.restart();
      await appended(storage, session, { writes: [recoverRun(runId, 2), startRun(runId, 3)] });
      const twice = await storage.getRun(session, runId);
      await appended(storage, session, {
        fence: fence(runId, 3),
        writes: [{ kind: 'checkpoint', runId, usage: USAGE, elapsedMs: 9 }],
      });

      expect(twice).toMatchObject({ attempt: 3, recoveries: 2, startedAt: 4000 });
      expect(await storage.getRun(session, runId)).toMatchObject({ recoveries: 0, elapsedMs: 9 });
    });

    it('ends a run in the append that takes it over, or changes nothing (S4)', async (context) => {
      context.skip(memoryOnly !== undefined, memoryOnly);
      const session = await createSession(data.storage, { engine: ENGINE });
      const runId = await startedRun(data.storage, session);
      const storage = await data.restart();
      const before = await storage.getRun(session, runId);

      const refused = await outcomeOf(
        storage,
        session,
        recoverRun(runId, 1),
        finishRun(runId, { from: ['running'] }),
      );
      const undone = await storage.getRun(session, runId);
      await appended(storage, session, {
        events: [event('run_finished', { runId })],
        writes: [recoverRun(runId, 1), finishRun(runId, { from: ['queued'], status: 'failed' })],
      });

      expect(refused).toBe('run_not_in_state');
      expect(undone).toEqual(before);
      expect(await storage.getRun(session, runId)).toMatchObject({ status: 'failed' });
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(0);
    });

    it('finds what was released and what was queued again by an answer', async (context) => {
      context.skip(memoryOnly !== undefined, memoryOnly);
      const released = await createSession(data.storage, { engine: ENGINE });
      const answered = await createSession(data.storage, { engine: ENGINE });
      const runId = await startedRun(data.storage, released);
      await appended(data.storage, released, { writes: [releaseRun(runId)] });
      const parked = await parkedRun(data.storage, answered);
      await appended(data.storage, answered, { writes: [resolveRequest(parked.requestId)] });

      const storage = await data.restart();

      expect((await storage.orphanedRuns()).map((run) => run.runId)).toEqual([runId, parked.runId]);
      await appended(storage, released, { writes: [recoverRun(runId, 1)] });
      await appended(storage, answered, { writes: [recoverRun(parked.runId, 1)] });
      expect(await storage.getRun(released, runId)).toMatchObject({ recoveries: 0 });
      expect(await storage.sessionsWithQueuedRuns()).toEqual([released, answered]);
    });

    it('leaves runs that await input parked until they are answered', async (context) => {
      context.skip(memoryOnly !== undefined, memoryOnly);
      const session = await createSession(data.storage, { engine: ENGINE });
      const { runId, requestId } = await parkedRun(data.storage, session);

      const storage = await data.restart();
      const refused = await outcomeOf(storage, session, recoverRun(runId, 1));
      const orphans = await storage.orphanedRuns();
      const pending = (await storage.snapshot(session, { limit: 1 }))?.pendingRequests;
      await appended(storage, session, { writes: [resolveRequest(requestId)] });

      expect([refused, orphans]).toEqual(['run_not_in_state', []]);
      expect(pending?.map((request) => request.requestId)).toEqual([requestId]);
      // It belongs to this process now.
      expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
      expect(await storage.orphanedRuns()).toEqual([]);
      expect(await outcomeOf(storage, session, startRun(runId, 2))).toBe(true);
    });
  });
}
