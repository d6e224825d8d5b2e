import { expect, it } from 'vitest';
import {
  ALL,
  append,
  appended,
  createSession,
  ENGINE,
  event,
  finishRun,
  INSERT_MESSAGE,
  type OpenFresh,
  OWNER,
  queueRun,
  readLog,
  said,
  startedRun,
  startRun,
  textsOf,
  useStorage,
} from './fixtures.ts';

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeRestarts(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  it('finds everything again (P2)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    const session = await createSession(data.storage, { engine: ENGINE, metadata: { a: 1 } });
    await appended(data.storage, session, {
      events: [said('hello', { eventId: 'one' })],
      writes: [INSERT_MESSAGE],
    });
    const before = await data.storage.getSession(session);

    const storage = await data.restart();

    expect(await storage.getSession(session)).toEqual(before);
    expect(await storage.counts()).toEqual({ sessions: 1, engines: 1 });
    expect(await storage.listSessions(OWNER, { ...ALL, metadata: { a: '1' } })).toMatchObject({ total: 1 });
    expect(textsOf(await storage.conversation(session, 10))).toEqual(['hello']);
    expect(await append(storage, session, { events: [event('custom:a', { eventId: 'one' })] })).toMatchObject(
      {
        reason: 'event_exists',
        seq: 1,
      },
    );
    expect(await append(storage, session, { events: [event()] })).toMatchObject({ ok: true, firstSeq: 2 });
  });

  it('has a boot number that grows (P6)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    const boots = [data.storage.boot];
    for (let index = 0; index < 3; index++) boots.push((await data.restart()).boot);

    expect(boots).toEqual([...new Set(boots)].sort((a, b) => a - b));
  });

  it('fences the runs of the process before, until they are ended as orphans (P6)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    const session = await createSession(data.storage, { engine: ENGINE });
    const runId = await startedRun(data.storage, session);
    const waiting = await queueRun(data.storage, session);
    const delta = { fence: { runId, attempt: 1 }, events: [event('text_delta', { runId })] };

    const storage = await data.restart();

    expect(await append(storage, session, delta)).toEqual({ ok: false, reason: 'fenced' });
    const orphans = await storage.orphanedRuns();
    expect(orphans).toEqual([await storage.getRun(session, runId), await storage.getRun(session, waiting)]);
    expect(orphans[0]).toMatchObject({ ...session, status: 'running' });
    expect(await storage.sessionsWithQueuedRuns()).toEqual([]);
    await appended(storage, session, {
      writes: [finishRun(runId, { status: 'failed' }), { kind: 'recover_run', runId: waiting, attempt: 0 }],
    });
    expect(await storage.orphanedRuns()).toEqual([]);
    expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
    expect(await append(storage, session, delta)).toEqual({ ok: false, reason: 'fenced' });
    await appended(storage, session, { writes: [startRun(waiting)] });
    expect(
      await append(storage, session, { fence: { runId: waiting, attempt: 1 }, events: [event()] }),
    ).toMatchObject({
      ok: true,
    });
    expect(await readLog(storage, session)).toHaveLength(4);
  });

  it('forgets the orphans of deleted sessions, and goes on removing them (S6)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    const session = await createSession(data.storage, { engine: ENGINE });
    await startedRun(data.storage, session);
    await data.storage.deleteSession(session);

    const storage = await data.restart();

    expect(await storage.orphanedRuns()).toEqual([]);
    expect(await storage.purge(2)).toBe(true);
    expect(await storage.purge(100)).toBe(false);
  });

  it('closes once, however often it is told to, and is unavailable then (S4)', async () => {
    const { storage } = data;
    const session = await createSession(storage);

    await storage.close();
    await storage.close();

    await expect(storage.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(storage.getSession(session)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(storage.append([])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('answers a check while it is open (S5)', async () => {
    await expect(data.storage.check()).resolves.toBeUndefined();
  });
}
