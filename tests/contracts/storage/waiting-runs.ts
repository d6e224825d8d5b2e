import { describe, expect, it } from 'vitest';
import type { RunPlace, Storage } from '../../../packages/server/src/storage/types.ts';
import {
  appended,
  ask,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  type OpenFresh,
  parkedRun,
  parkRun,
  queueRun,
  releaseRun,
  resolveRequest,
  startedRun,
  startRun,
  useStorage,
} from './fixtures.ts';

async function allPages(storage: Storage, options: { limit: number; tenantId?: string }) {
  const pages = [];
  let before: RunPlace | null = null;
  do {
    const page: Awaited<ReturnType<Storage['waitingRuns']>> = await storage.waitingRuns({
      ...options,
      ...(before ? { before } : {}),
    });
    pages.push(page.runs);
    before = page.next;
  } while (before);
  return pages;
}

export function describeWaitingRuns(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('that wait', () => {
    it('are listed with what they have asked, newest first, and none that executes or has ended (S5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const gone = await createSession(storage, { engine: ENGINE });
      const ended = await startedRun(storage, session);
      await appended(storage, session, { writes: [finishRun(ended)] });
      const parked = await startedRun(storage, session);
      const asked = [
        await ask(storage, session, parked, { requestId: 'z "first"\u0000' }),
        await ask(storage, session, parked),
      ];
      const answered = await ask(storage, session, parked);
      await appended(storage, session, { writes: [resolveRequest(answered)] });
      const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
      await appended(storage, session, {
        writes: [{ kind: 'park_run', runId: parked, elapsedMs: 7, usage, steps: 2 }],
      });
      await startedRun(storage, session);
      const queued = await queueRun(storage, session);
      await queueRun(storage, gone);
      await storage.deleteSession(gone);

      const page = await storage.waitingRuns({ limit: 10 });

      expect(page).toEqual({
        runs: [
          { ...session, runId: queued, status: 'queued', usage: null, steps: 0, pending: [] },
          { ...session, runId: parked, status: 'awaiting_input', usage, steps: 2, pending: asked },
        ],
        next: null,
      });
    });

    it('are only those that were not in the middle of something', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const whole = await startedRun(storage, session);
      await appended(storage, session, { writes: [releaseRun(whole)] });
      const open = await startedRun(storage, session);
      await appended(storage, session, {
        events: [event('message_started')],
        writes: [{ kind: 'open_message', runId: open, eventIndex: 0 }],
      });
      const idsOf = async () =>
        (await storage.waitingRuns({ limit: 10 })).runs.map(({ runId, status }) => [runId, status]);

      expect(await idsOf()).toEqual([[whole, 'queued']]);
    });

    it('are all there in pages, of all sessions or those of a tenant, whatever ends meanwhile (S2)', async () => {
      const { storage } = data;
      const one = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE, tenantId: 'another' });
      const mine = [await queueRun(storage, one), await queueRun(storage, one)];
      const { runId: parked } = await parkedRun(storage, one);
      const foreign = await queueRun(storage, other);

      const all = await allPages(storage, { limit: 2 });
      const own = await allPages(storage, { limit: 1, tenantId: one.tenantId });
      const first = await storage.waitingRuns({ limit: 1 });
      await appended(storage, other, {
        writes: [finishRun(foreign, { from: ['queued'], status: 'cancelled' })],
      });
      const rest = await storage.waitingRuns({
        limit: 10,
        ...(first.next ? { before: first.next } : {}),
      });

      const idsOf = (runs: readonly { runId: string }[]) => runs.map(({ runId }) => runId);
      expect(idsOf(all.flat())).toEqual([foreign, parked, mine[1], mine[0]]);
      expect(idsOf(own.flat())).toEqual([parked, mine[1], mine[0]]);
      expect([...idsOf(first.runs), ...idsOf(rest.runs)]).toEqual(idsOf(all.flat()));
    });

    it('wait no more when they go on', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const { runId, requestId } = await parkedRun(storage, session);
      const statuses = async () =>
        (await storage.waitingRuns({ limit: 10 })).runs.map(({ status, pending }) => [
          status,
          pending.length,
        ]);

      const parked = await statuses();
      await appended(storage, session, { writes: [resolveRequest(requestId)] });
      const answered = await statuses();
      await appended(storage, session, { writes: [startRun(runId, 2)] });
      const running = await statuses();
      await ask(storage, session, runId);
      await appended(storage, session, { fence: fence(runId, 2), writes: [parkRun(runId)] });

      expect([parked, answered, running]).toEqual([[['awaiting_input', 1]], [['queued', 0]], []]);
      expect(await statuses()).toEqual([['awaiting_input', 1]]);
    });
  });

  it('can be asked for by where they stand', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE });
    const running = await startedRun(storage, session);
    await queueRun(storage, session);

    const page = await storage.unfinishedRuns({ limit: 10, status: 'running' });

    expect(page).toEqual({ runs: [{ ...session, runId: running, status: 'running' }], next: null });
  });
}
