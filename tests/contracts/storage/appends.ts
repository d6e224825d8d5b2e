import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Append, SessionKey } from '../../../packages/server/src/storage/types.ts';
import {
  append,
  appended,
  createRun,
  createSession,
  ENGINE,
  event,
  finishRun,
  INSERT_MESSAGE,
  newRun,
  newSession,
  type OpenFresh,
  queueRun,
  readLog,
  said,
  startedRun,
  startRun,
  textsOf,
  useStorage,
} from './fixtures.ts';

export function describeAppends(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('sequence (P1)', () => {
    it('numbers the events of a session from one, without gaps', async () => {
      const { storage } = data;
      const session = await createSession(storage);

      const first = await append(storage, session, { events: [event(), event()] });
      const second = await append(storage, session, { events: [event()] });

      expect(first).toEqual({ ok: true, epoch: 'epoch-1', firstSeq: 1, lastSeq: 2 });
      expect(second).toEqual({ ok: true, epoch: 'epoch-1', firstSeq: 3, lastSeq: 3 });
      expect((await readLog(storage, session)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect((await storage.getSession(session))?.headSeq).toBe(3);
    });

    it('answers with the head when an append has no events', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      await append(storage, session, { events: [event()] });

      const outcome = await append(storage, session, { writes: [{ kind: 'link_engine', engine: ENGINE }] });

      expect(outcome).toEqual({ ok: true, epoch: 'epoch-1', firstSeq: 1, lastSeq: 1 });
    });

    it('stores events as they are', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const payload = JSON.stringify({ text: 'ünï 🚀 \u0000 \ud800 "\\ \u2028', nested: [{ a: null }] });

      await append(storage, session, { events: [event('custom:x', { runId: 'r', payload, createdAt: 7 })] });

      const [stored] = await readLog(storage, session);
      expect(stored).toMatchObject({
        epoch: 'epoch-1',
        seq: 1,
        eventType: 'custom:x',
        runId: 'r',
        createdAt: 7,
      });
      expect(stored?.payload).toBe(payload);
    });

    it('keeps the order of the batch inside each session, whatever is refused in between', async () => {
      const { storage } = data;
      const sessions: readonly SessionKey[] = [await createSession(storage), await createSession(storage)];
      const stranger = newSession();
      const target = fc.constantFrom(0, 1, 2);

      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(target, fc.integer({ min: 0, max: 3 })), { maxLength: 30 }),
          async (plan) => {
            const before = await Promise.all(sessions.map((session) => readLog(storage, session)));
            let label = 0;
            const batch = plan.map(
              ([which, events]): Append => ({
                session: sessions[which] ?? stranger,
                events: Array.from({ length: events }, () =>
                  event('custom:n', { payload: `{"n":${label++}}` }),
                ),
              }),
            );

            const outcomes = await storage.append(batch);

            for (const [index, session] of sessions.entries()) {
              const expected = batch.filter((one) => one.session === session).flatMap((one) => one.events);
              const log = await readLog(storage, session);
              expect(log.map(({ seq }) => seq)).toEqual(log.map((_, position) => position + 1));
              expect(log.slice(before[index]?.length).map(({ payload }) => payload)).toEqual(
                expected.map(({ payload }) => payload),
              );
            }
            expect(outcomes.map(({ ok }) => ok)).toEqual(plan.map(([which]) => which < 2));
          },
        ),
        { numRuns: 25 },
      );
    });
  });

  describe('refusals (S4)', () => {
    it('refuses an unknown session', async () => {
      expect(await append(data.storage, newSession(), { events: [event()] })).toEqual({
        ok: false,
        reason: 'session_not_found',
      });
    });

    it('undoes all of a refused append and nothing else', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);
      const again = newRun({ runId });
      const before = await storage.getSession(session);

      const outcomes = await storage.append([
        { session, events: [event('custom:before')] },
        {
          session,
          events: [said('refused', { eventId: 'id-1' })],
          // All but the last could be applied.
          writes: [
            { kind: 'set_engine_status', engineId: ENGINE.engineId, status: 'failed' },
            startRun(runId),
            { kind: 'open_message', runId, eventIndex: 0 },
            INSERT_MESSAGE,
            finishRun(runId),
            { kind: 'link_engine', engine: { ...ENGINE, engineId: 'engine-2' } },
            createRun(again),
          ],
          touchedAt: 9000,
        },
        { session, events: [event('custom:after', { eventId: 'id-1' })] },
      ]);

      expect(outcomes).toEqual([
        { ok: true, epoch: 'epoch-1', firstSeq: 2, lastSeq: 2 },
        { ok: false, reason: 'run_exists' },
        { ok: true, epoch: 'epoch-1', firstSeq: 3, lastSeq: 3 },
      ]);
      expect(await storage.getSession(session)).toEqual({ ...before, headSeq: 3 });
      expect(await storage.getRun(session, runId)).toMatchObject({ status: 'queued', openSeq: null });
      expect((await readLog(storage, session)).map(({ eventType }) => eventType)).toEqual([
        'run_queued',
        'custom:before',
        'custom:after',
      ]);
      expect(textsOf((await storage.readMessages(session, { limit: 10 }))?.messages ?? [])).toEqual([]);
      expect(await storage.counts()).toEqual({ sessions: 1, engines: 1 });
    });

    it('applies nothing of a batch when the storage itself fails', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const other = await createSession(storage);
      // Two messages at one event are a bug of the caller that no answer is made for.
      const attempt = storage.append([
        { session: other, events: [event()], touchedAt: 9000 },
        { session, events: [said('one')], writes: [INSERT_MESSAGE, INSERT_MESSAGE] },
      ]);

      await expect(attempt).rejects.toMatchObject({ name: 'ApiError', code: 'UNAVAILABLE' });
      expect(await readLog(storage, other)).toEqual([]);
      expect((await storage.getSession(other))?.lastInteractionAt).toBe(1000);
      expect(await append(storage, other, { events: [event()] })).toMatchObject({ ok: true, firstSeq: 1 });
    });
  });

  describe('fence (P6)', () => {
    it('lets a run append while it is running, and neither before nor after', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);
      const fenced = { fence: { runId, attempt: 1 }, events: [event('text_delta', { runId })] };

      const queued = await append(storage, session, fenced);
      await append(storage, session, { writes: [startRun(runId)] });
      const running = await append(storage, session, fenced);
      const ending = await append(storage, session, { ...fenced, writes: [finishRun(runId)] });
      const ended = await append(storage, session, fenced);

      expect([queued, running, ending, ended].map((outcome) => outcome.ok || outcome.reason)).toEqual([
        'fenced',
        true,
        true,
        'fenced',
      ]);
    });

    it('does not take a running run of another session for one of this', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);

      const outcome = await append(storage, other, { fence: { runId, attempt: 1 }, events: [event()] });

      expect(outcome).toEqual({ ok: false, reason: 'fenced' });
    });

    it('counts within a batch: nothing follows the end of a run', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const fence = { runId, attempt: 1 };

      const outcomes = await storage.append([
        { session, fence, events: [event('run_finished', { runId })], writes: [finishRun(runId)] },
        { session, fence, events: [event('text_delta', { runId })] },
      ]);

      expect(outcomes).toMatchObject([{ ok: true }, { ok: false, reason: 'fenced' }]);
      expect((await readLog(storage, session)).at(-1)?.eventType).toBe('run_finished');
    });
  });

  describe('event ids (P5)', () => {
    it('stores an id once and says where', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      await append(storage, session, { events: [event(), event('custom:a', { eventId: 'one' })] });

      const again = await append(storage, session, {
        events: [event('custom:b', { eventId: 'two' }), event('custom:a', { eventId: 'one' })],
      });

      expect(again).toEqual({ ok: false, reason: 'event_exists', seq: 2, epoch: 'epoch-1' });
      expect(await readLog(storage, session)).toHaveLength(2);
      expect(
        await append(storage, session, { events: [event('custom:b', { eventId: 'two' })] }),
      ).toMatchObject({
        ok: true,
      });
    });

    it('sees the ids of the same batch, and refuses two of one append', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const same = event('custom:a', { eventId: 'one' });

      const outcomes = await storage.append([
        { session, events: [event('custom:b', { eventId: 'two' }), event('custom:b', { eventId: 'two' })] },
        { session, events: [same] },
        { session, events: [same] },
      ]);

      expect(outcomes).toMatchObject([
        { ok: false, reason: 'event_exists' },
        { ok: true, firstSeq: 1 },
        { ok: false, reason: 'event_exists', seq: 1 },
      ]);
    });

    it('keeps the ids of sessions apart', async () => {
      const { storage } = data;
      const events = [event('custom:a', { eventId: 'one' })];
      await appended(storage, await createSession(storage), { events });

      const outcome = await append(storage, await createSession(storage), { events });

      expect(outcome).toMatchObject({ ok: true, firstSeq: 1 });
    });
  });

  it('touches the session when told to, and never backwards (S5)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { createdAt: 1000 });
    const touched: (number | undefined)[] = [];

    for (const touchedAt of [undefined, 2000, 1500]) {
      await append(storage, session, {
        events: [event()],
        ...(touchedAt === undefined ? {} : { touchedAt }),
      });
      touched.push((await storage.getSession(session))?.lastInteractionAt);
    }

    expect(touched).toEqual([1000, 2000, 2000]);
  });

  it('takes an empty batch (S4)', async () => {
    expect(await data.storage.append([])).toEqual([]);
  });
}
