import { describe, expect, it } from 'vitest';
import {
  append,
  appended,
  createRun,
  createSession,
  ENGINE,
  event,
  finishRun,
  newRun,
  type OpenFresh,
  queueRun,
  startedRun,
  startRun,
  useStorage,
} from './fixtures.ts';

export function describeRuns(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('life (P6)', () => {
    it('is queued, running, ended', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const run = newRun({ parameters: { prompt: 'ünï', deep: [{ a: null }] }, bodyHash: 'abc' });
      const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
      const queued = {
        ...run,
        ...session,
        status: 'queued',
        acceptedSeq: 2,
        openSeq: null,
        attempt: 0,
        elapsedMs: 0,
        recoveries: 0,
        steps: 0,
        reserved: null,
        result: null,
        usage: null,
        error: null,
        startedAt: null,
        finishedAt: null,
      };
      await appended(storage, session, { events: [event()] });

      await appended(storage, session, { events: [event('run_queued'), event()], writes: [createRun(run)] });
      expect(await storage.getRun(session, run.runId)).toEqual(queued);
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(1);

      await appended(storage, session, { writes: [startRun(run.runId)] });
      const running = { ...queued, status: 'running', attempt: 1, startedAt: 4000 };
      expect(await storage.getRun(session, run.runId)).toEqual(running);

      const error = { code: 'TOOL_ERROR', message: 'no' };
      const end = { status: 'failed' as const, result: { a: [1] }, usage, error };
      await appended(storage, session, { writes: [finishRun(run.runId, end)] });
      expect(await storage.getRun(session, run.runId)).toEqual({ ...running, ...end, finishedAt: 5000 });
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(0);
    });

    it('moves only from the states that the write names, and ends once', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);
      const refused = async (write: ReturnType<typeof startRun>) => {
        const outcome = await append(storage, session, { events: [event()], writes: [write] });
        return outcome.ok ? null : outcome.reason;
      };

      expect(await refused(finishRun(runId, { from: ['running'] }))).toBe('run_not_in_state');
      expect(await refused(startRun(runId))).toBeNull();
      expect(await refused(startRun(runId))).toBe('run_not_in_state');
      expect(await refused(finishRun(runId, { from: ['queued'] }))).toBe('run_not_in_state');
      expect(await refused(finishRun(runId, { from: ['queued', 'running'] }))).toBeNull();
      expect(await refused(finishRun(runId, { from: ['queued', 'running', 'completed'] }))).toBe(
        'run_not_in_state',
      );
      expect(await refused(startRun('another'))).toBe('run_not_in_state');
      expect((await storage.getSession(session))?.unfinishedRuns).toBe(0);
    });

    it('can end before it begins', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);

      await appended(storage, session, {
        writes: [finishRun(runId, { from: ['queued'], status: 'cancelled' })],
      });

      expect(await storage.getRun(session, runId)).toMatchObject({ status: 'cancelled', startedAt: null });
      expect(await storage.sessionsWithQueuedRuns()).toEqual([]);
    });

    it('closes its open message when it ends', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const open = { kind: 'open_message', runId, eventIndex: 1 } as const;

      await appended(storage, session, { events: [event(), event('message_started')], writes: [open] });
      const opened = await storage.getRun(session, runId);
      await appended(storage, session, { writes: [finishRun(runId)] });

      expect(opened?.openSeq).toBe(4);
      expect((await storage.getRun(session, runId))?.openSeq).toBeNull();
    });
  });

  describe('acceptance', () => {
    it('says how many unfinished runs are ahead (S3)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const positions = [];
      for (let index = 0; index < 3; index++) {
        const outcome = await appended(storage, session, {
          events: [event()],
          writes: [createRun(newRun())],
        });
        positions.push(outcome.position);
      }

      expect(positions).toEqual([0, 1, 2]);
    });

    it('refuses an id that the session has, whatever became of the run (P5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      await appended(storage, session, { writes: [finishRun(runId)] });

      const outcome = await append(storage, session, { writes: [createRun(newRun({ runId }))] });

      expect(outcome).toEqual({ ok: false, reason: 'run_exists' });
    });

    it('neither clashes with the same id in another session nor tells of it (S1)', async () => {
      const { storage } = data;
      const mine = await createSession(storage, { engine: ENGINE });
      const theirs = await createSession(storage, { engine: ENGINE, ownerId: 'somebody else' });
      const runId = await startedRun(storage, mine);

      const unknown = await storage.getRun(theirs, runId);
      await appended(storage, theirs, {
        events: [event()],
        writes: [createRun(newRun({ runId, command: 'theirs' }))],
      });

      expect(unknown).toBeNull();
      expect(await storage.getRun(theirs, runId)).toMatchObject({ command: 'theirs', status: 'queued' });
      expect(await storage.getRun(mine, runId)).toMatchObject({ command: 'prompt', status: 'running' });
    });

    it('refuses a run of an engine that is not the linked one (S4)', async () => {
      const { storage } = data;
      const linked = await createSession(storage, { engine: { ...ENGINE, engineId: 'engine-2' } });
      const unlinked = await createSession(storage);
      const writes = [createRun(newRun())];

      expect(await append(storage, linked, { writes })).toEqual({ ok: false, reason: 'engine_changed' });
      expect(await append(storage, unlinked, { writes })).toEqual({ ok: false, reason: 'engine_changed' });
    });

    it('refuses a run that takes none ahead of it while another is unfinished, and takes it in place of one that ends (P6)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);
      const next = newRun();

      const refused = await append(storage, session, { writes: [createRun(next, 0)] });
      const replaced = await append(storage, session, {
        events: [event()],
        writes: [finishRun(runId, { from: ['queued'], status: 'cancelled' }), createRun(next, 0)],
      });

      expect(refused).toEqual({ ok: false, reason: 'run_in_progress' });
      expect(replaced).toMatchObject({ ok: true, position: 0 });
    });

    it('refuses a run when more are unfinished than may be ahead of it, within one batch too (S3)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const create = (maxAhead: number) => ({
        session,
        events: [event()],
        writes: [createRun(newRun(), maxAhead)],
      });

      const outcomes = await storage.append([create(2), create(2), create(2), create(2), create(3)]);

      expect(outcomes.map((outcome) => (outcome.ok ? outcome.position : outcome.reason))).toEqual([
        0,
        1,
        2,
        'run_in_progress',
        3,
      ]);
    });
  });

  describe('lists', () => {
    it('are newest first, in pages, by status (S2)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) ids.unshift(await queueRun(storage, session));
      await appended(storage, session, {
        writes: [startRun(ids[4]!), finishRun(ids[4]!), startRun(ids[3]!)],
      });
      const idsOf = (page: { runs: readonly { runId: string }[] }) => page.runs.map(({ runId }) => runId);

      const first = await storage.listRuns(session, { limit: 3 });
      const second = await storage.listRuns(session, { limit: 3, before: first.next ?? 0 });
      const queued = await storage.listRuns(session, { limit: 3, status: 'queued' });

      expect([idsOf(first), idsOf(second)]).toEqual([ids.slice(0, 3), ids.slice(3)]);
      expect([second.next, queued.next]).toEqual([null, null]);
      expect(idsOf(queued)).toEqual(ids.slice(0, 3));
      expect(await storage.unfinishedRunIds(session)).toEqual(ids.slice(0, 4).reverse());
    });

    it('are listed over all sessions as long as they are unfinished, or those of a tenant, in pages', async () => {
      const { storage } = data;
      const one = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE, tenantId: 'another' });
      const gone = await createSession(storage, { engine: ENGINE });
      const ended = await startedRun(storage, one);
      const running = await startedRun(storage, one);
      const queued = await queueRun(storage, one);
      const foreign = await queueRun(storage, other);
      await queueRun(storage, gone);
      await appended(storage, one, { writes: [finishRun(ended)] });
      await storage.deleteSession(gone);

      const first = await storage.unfinishedRuns({ limit: 2 });
      const second = await storage.unfinishedRuns({
        limit: 2,
        ...(first.next ? { before: first.next } : {}),
      });
      const ofTenant = await storage.unfinishedRuns({ limit: 2, tenantId: one.tenantId });

      expect(first.runs).toEqual([
        { ...other, runId: foreign, status: 'queued' },
        { ...one, runId: queued, status: 'queued' },
      ]);
      expect(second).toEqual({ runs: [{ ...one, runId: running, status: 'running' }], next: null });
      expect(ofTenant.runs.map(({ runId }) => runId)).toEqual([queued, running]);
    });

    it('know the oldest unfinished run, and how many are ahead of another (S5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const none = await storage.nextRun(session);
      const [first, second, third] = [
        await queueRun(storage, session),
        await queueRun(storage, session),
        await queueRun(storage, session),
      ];
      const last = await storage.getRun(session, third);
      const ahead = () => storage.countUnfinishedRuns(session, last?.acceptedSeq ?? 0);

      await appended(storage, session, { writes: [startRun(first)] });
      const running = [await storage.nextRun(session), await ahead()];
      await appended(storage, session, { writes: [finishRun(first)] });
      const queued = [await storage.nextRun(session), await ahead()];

      expect(none).toBeNull();
      expect(running).toEqual([expect.objectContaining({ runId: first, status: 'running' }), 2]);
      expect(queued).toEqual([await storage.getRun(session, second), 1]);
      expect(await storage.countUnfinishedRuns(session, Number.MAX_SAFE_INTEGER)).toBe(2);
    });

    it('count the queued runs of all sessions that are not deleted (S3)', async () => {
      const { storage } = data;
      const [one, other, deleted] = await Promise.all([
        createSession(storage, { engine: ENGINE }),
        createSession(storage, { engine: ENGINE, ownerId: 'other' }),
        createSession(storage, { engine: ENGINE }),
      ]);
      const none = await storage.countQueuedRuns();
      await startedRun(storage, one);
      for (const session of [one, one, other, deleted]) await queueRun(storage, session);
      const some = await storage.countQueuedRuns();
      await storage.deleteSession(deleted);

      expect([none, some, await storage.countQueuedRuns()]).toEqual([0, 4, 3]);
    });

    it('name the sessions with queued runs, the one that waits longest first (S5)', async () => {
      const { storage } = data;
      const keys = [];
      for (let index = 0; index < 4; index++) {
        keys.push(await createSession(storage, { engine: ENGINE, ownerId: `owner ${index}` }));
      }
      const [never, second, first, running] = keys as [(typeof keys)[0], ...typeof keys];
      const early = await queueRun(storage, running!);
      await queueRun(storage, first!);
      await queueRun(storage, second!);
      await queueRun(storage, first!);
      await appended(storage, running!, { writes: [startRun(early)] });

      const waiting = await storage.sessionsWithQueuedRuns();

      expect(waiting).toEqual([first, second]);
      expect(waiting).not.toContainEqual(never);
    });
  });

  it('takes no run of this start for an orphan (P6)', async () => {
    const { storage } = data;
    await startedRun(storage, await createSession(storage, { engine: ENGINE }));

    expect(await storage.orphanedRuns()).toEqual([]);
  });
}
