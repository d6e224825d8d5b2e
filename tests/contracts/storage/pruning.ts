import { expect, it } from 'vitest';
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
  parkedRun,
  queueRun,
  readLog,
  resolveRequest,
  startedRun,
  textsOf,
  useStorage,
} from './fixtures.ts';
import { completeMessage, drain, kindsOf, LATER, streamMessage } from './streams.ts';

export function describePruning(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);
  const at = (createdAt: number, eventId?: string) =>
    event('custom:note', { createdAt, ...(eventId === undefined ? {} : { eventId }) });

  it('removes what is too old from the beginning of a log, and says up to where (P3)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { events: [at(1000), at(2000)] });
    const other = await createSession(storage, { events: [at(4000)] });
    await appended(storage, session, { events: [at(3000), at(4000), at(5000)] });

    const more = await storage.pruneEvents(4000, 100);

    expect(more).toBe(false);
    expect(await kindsOf(storage, session)).toEqual(['4 custom:note', '5 custom:note']);
    expect(await storage.readEvents(session, 0, 1)).toMatchObject({
      headSeq: 5,
      floorSeq: 3,
      events: [{ seq: 4 }],
    });
    expect(await storage.readEvents(other, 0, 1)).toMatchObject({ headSeq: 1, floorSeq: 0 });
    expect(await append(storage, session, { events: [at(6000)] })).toMatchObject({ ok: true, firstSeq: 6 });
  });

  it('keeps the numbers and the messages when no event is left (P1)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE });
    const runId = await startedRun(storage, session);
    await streamMessage(storage, session, runId, ['text_delta']);
    await completeMessage(storage, session, runId, 'hello');
    await appended(storage, session, { writes: [finishRun(runId)] });
    const before = [
      await storage.getSession(session),
      await storage.getRun(session, runId),
      await storage.readMessages(session, { limit: 9 }),
    ];

    await drain(() => storage.pruneEvents(LATER, 100));

    expect(await storage.readEvents(session, 0, 9)).toEqual({
      epoch: 'epoch-1',
      headSeq: 6,
      floorSeq: 6,
      events: [],
    });
    expect([
      await storage.getSession(session),
      await storage.getRun(session, runId),
      await storage.readMessages(session, { limit: 9 }),
    ]).toEqual(before);
    expect(textsOf(await storage.conversation(session, LATER))).toEqual(['hello']);
    // Its deltas are gone already.
    expect(await storage.compactEvents(LATER, 100)).toBe(false);
    expect(await storage.nextCompaction()).toBeNull();
    expect((await appended(storage, session, { events: [event()] })).firstSeq).toBe(7);
  });

  it('removes the ids of what it removes (S6)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    await appended(storage, session, { events: [at(1000, 'old'), at(5000, 'new')] });

    await storage.pruneEvents(2000, 100);
    const again = [
      await append(storage, session, { events: [at(6000, 'old')] }),
      await append(storage, session, { events: [at(6000, 'new')] }),
    ];

    expect(again).toMatchObject([
      { ok: true, firstSeq: 3 },
      { ok: false, reason: 'event_exists', seq: 2 },
    ]);
  });

  it('leaves a run that has not ended whole, and what came after it (P6)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE, events: [at(1000), at(1000)] });
    const first = await startedRun(storage, session);
    const parked = await parkedRun(storage, session);
    await appended(storage, session, { events: [at(3000, 'one')] });
    await appended(storage, session, { writes: [finishRun(first)] });
    const types = ['run_queued', 'run_started', 'input_requested'];

    await drain(() => storage.pruneEvents(LATER, 100));
    const whole = await storage.readEvents(session, 0, 100);
    const events = await storage.runEvents(session, parked.runId, types);
    await appended(storage, session, {
      events: [at(3000)],
      writes: [
        resolveRequest(parked.requestId),
        finishRun(parked.runId, { from: ['queued'], status: 'cancelled' }),
      ],
    });
    await drain(() => storage.pruneEvents(LATER, 100));

    expect(whole?.floorSeq).toBe(4);
    expect(whole?.events.map(({ seq }) => seq)).toEqual([5, 6, 7, 8]);
    expect(events.map(({ eventType }) => eventType)).toEqual(types);
    expect(await storage.readEvents(session, 0, 100)).toMatchObject({ floorSeq: 9, events: [] });
  });

  it('goes in slices of at most the limit, over all sessions (S6)', async () => {
    const { storage } = data;
    const sessions = [await createSession(storage), await createSession(storage, { ownerId: 'other' })];
    for (const session of sessions) {
      for (let index = 0; index < 4; index++)
        await appended(storage, session, { events: [at(1000), at(1000)] });
      await appended(storage, session, { events: [at(5000)] });
    }
    const count = async () =>
      (await Promise.all(sessions.map((session) => readLog(storage, session)))).flat().length;

    const left = [await count()];
    let more = true;
    while (more) {
      more = await storage.pruneEvents(2000, 3);
      left.push(await count());
    }

    for (const [index, before] of left.entries()) {
      expect(before - (left[index + 1] ?? before)).toBeLessThanOrEqual(3);
    }
    expect(left.at(-1)).toBe(2);
    expect(left.length).toBeGreaterThan(Math.ceil(16 / 3));
    for (const session of sessions) {
      expect(await storage.readEvents(session, 0, 9)).toMatchObject({ floorSeq: 8, events: [{ seq: 9 }] });
    }
  });

  it('raises the floor with each slice, so that no gap is ever silent (P3)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    for (let index = 0; index < 10; index++) await appended(storage, session, { events: [at(1000)] });

    for (let more = true; more; ) {
      more = await storage.pruneEvents(2000, 3);
      const page = await storage.readEvents(session, 0, 100);
      expect(page?.events.map(({ seq }) => seq)).toEqual(
        Array.from({ length: 10 - (page?.floorSeq ?? 0) }, (_, index) => (page?.floorSeq ?? 0) + index + 1),
      );
    }
    expect((await storage.readEvents(session, 0, 100))?.floorSeq).toBe(10);
  });

  it('knows when there is something to prune again (S5)', async () => {
    const { storage } = data;
    const none = await storage.nextPrune();
    const session = await createSession(storage, { engine: ENGINE });
    await appended(storage, session, { events: [at(2000)] });
    const runId = await queueRun(storage, session, { createdAt: 3000 });
    await ask(storage, session, await startedRun(storage, session));
    /** What is looked for after a prune lies after it, so who asks for the next time does not ask for ever. */
    const pruned = async (createdBefore: number) => {
      await drain(() => storage.pruneEvents(createdBefore, 100));
      const next = await storage.nextPrune();
      expect(next === null || next >= createdBefore, `${next} after ${createdBefore}`).toBe(true);
      return (await readLog(storage, session)).length;
    };

    expect(none).toBeNull();
    expect(await storage.nextPrune()).toBeLessThanOrEqual(2000);
    const kept = [await pruned(1500), await pruned(2500), await pruned(4000)];
    await appended(storage, session, {
      events: [event('run_finished', { runId, createdAt: 5000 })],
      writes: [finishRun(runId, { from: ['queued'] })],
    });
    kept.push(await pruned(5000));

    // The second run holds what is left.
    expect(kept).toEqual([5, 4, 4, 4]);
  });

  it('goes on with what is appended after everything was pruned (S6)', async () => {
    const { storage } = data;
    const session = await createSession(storage, { engine: ENGINE, events: [at(1000)] });
    await drain(() => storage.pruneEvents(2000, 100));
    await appended(storage, session, { events: [at(3000)] });
    await drain(() => storage.pruneEvents(4000, 100));
    const empty = await readLog(storage, session);
    const runId = await startedRun(storage, session);
    await appended(storage, session, {
      fence: fence(runId),
      events: [event('run_finished', { runId })],
      writes: [finishRun(runId)],
    });

    expect(empty).toEqual([]);
    expect(await storage.nextPrune()).toBeLessThanOrEqual(3000);
    await drain(() => storage.pruneEvents(4000, 100));
    expect(await storage.readEvents(session, 0, 9)).toMatchObject({ floorSeq: 5, events: [] });
  });

  it('has nothing to do in sessions that are empty or deleted (S6)', async () => {
    const { storage } = data;
    await createSession(storage);
    const deleted = await createSession(storage, { events: [at(1000)] });
    await storage.deleteSession(deleted);

    expect(await storage.pruneEvents(LATER, 1)).toBe(false);
    expect(await storage.nextPrune()).toBeNull();
  });
}
