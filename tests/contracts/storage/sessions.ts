import { describe, expect, it } from 'vitest';
import {
  ALL,
  append,
  appended,
  createRequest,
  createRun,
  createSession,
  ENGINE,
  event,
  finishRun,
  INSERT_MESSAGE,
  newRequest,
  newRun,
  newSession,
  type OpenFresh,
  OWNER,
  queueRun,
  said,
  startRun,
  useStorage,
} from './fixtures.ts';

export function describeSessions(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  it('gives back what was created (S5)', async () => {
    const { storage } = data;
    const session = newSession({
      name: 'Ünï 🚀',
      metadata: { a: 1, nested: { b: [null, true] }, text: 'x' },
      engine: { ...ENGINE, config: { deep: { model: 'demo:x' } } },
      events: [event('engine_linked'), event('custom:b')],
    });

    await storage.createSession(session, 10);

    const { events, ...created } = session;
    const log = await storage.readEvents(session, 0, 10);
    expect(log?.events.map(({ seq, eventType }) => [seq, eventType])).toEqual([
      [1, 'engine_linked'],
      [2, 'custom:b'],
    ]);
    expect((await appended(storage, session, { events: [event()] })).firstSeq).toBe(events.length + 1);
    expect(await storage.getSession(session)).toEqual({
      ...created,
      headSeq: 3,
      lastInteractionAt: session.createdAt,
      unfinishedRuns: 0,
      usage: null,
      steps: 0,
      elapsedMs: 0,
      forkedFrom: null,
    });
  });

  it('creates at most as many sessions as it may (S3)', async () => {
    const { storage } = data;
    await createSession(storage, { ownerId: 'somebody else' });
    const second = newSession();

    expect(await storage.createSession(second, 1)).toBe('full');
    expect(await storage.getSession(second)).toBeNull();
    expect(await storage.createSession(second, 2)).toBe('created');
    await storage.deleteSession(second);
    expect(await storage.createSession(newSession(), 2)).toBe('created');
  });

  it('creates at most as many sessions of an owner as it may, also when many come at once', async () => {
    const { storage } = data;
    const other = newSession({ ownerId: 'somebody else' });

    const answers = await Promise.all(
      Array.from({ length: 10 }, () => storage.createSession(newSession(), 100, undefined, 3)),
    );

    expect(answers.toSorted()).toEqual([...Array(3).fill('created'), ...Array(7).fill('owner_full')]);
    expect(await storage.createSession(other, 100, undefined, 3)).toBe('created');
    expect((await storage.counts()).sessions).toBe(4);
    const { sessions } = await storage.listSessions(OWNER, ALL);
    expect(sessions).toHaveLength(3);
    for (const session of sessions.slice(1)) await storage.deleteSession(session);
    expect(await storage.createSession(newSession(), 100, undefined, 3)).toBe('created');
    expect(await storage.createSession(newSession(), 100, undefined, 3)).toBe('created');
    expect(await storage.createSession(newSession(), 100, undefined, 3)).toBe('owner_full');
    expect(await storage.createSession(newSession(), 4, undefined, 3)).not.toBe('created');
  });

  it('creates those that come together with one that cannot be made', async () => {
    const { storage } = data;
    const there = newSession({ engine: ENGINE, metadata: { a: 1 } });
    await storage.createSession(there, 10);
    const others = Array.from({ length: 4 }, () => newSession({ engine: ENGINE, events: [event()] }));

    const answers = await Promise.allSettled(
      [others[0], others[1], there, others[2], others[3]].map((session) =>
        storage.createSession(session ?? there, 10),
      ),
    );

    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.status))).toEqual([
      'created',
      'created',
      'rejected',
      'created',
      'created',
    ]);
    for (const session of others) expect(await storage.getSession(session)).toMatchObject({ headSeq: 1 });
    expect(await storage.counts()).toEqual({ sessions: 5, engines: 5 });
  });

  it('does one of many creations that come together with one key', async () => {
    const { storage } = data;
    const record = { ...OWNER, idempotencyKey: 'k', bodyHash: 'h', createdAt: 1, response: '{}' };

    const answers = await Promise.all(
      Array.from({ length: 5 }, () => storage.createSession(newSession(), 10, record)),
    );

    expect(answers.toSorted()).toEqual(['created', ...Array(4).fill('idempotency_exists')]);
    expect((await storage.counts()).sessions).toBe(1);
  });

  it('says of creations that the end of the storage came before that they failed', async () => {
    const { storage } = data;
    const creation = storage.createSession(newSession(), 10);
    const [answer] = await Promise.allSettled([creation, storage.close()]);
    const made = (await (await data.restart()).counts()).sessions;
    expect(answer).toMatchObject(
      made === 1 ? { value: 'created' } : { reason: expect.objectContaining({ code: 'UNAVAILABLE' }) },
    );
  });

  it('counts sessions and engines exactly (S3)', async () => {
    const { storage } = data;
    const [plain, linked, other] = await Promise.all([
      createSession(storage),
      createSession(storage, { engine: ENGINE }),
      createSession(storage, { engine: ENGINE, ownerId: 'other' }),
    ]);
    const link = (engineId: string) => ({
      writes: [{ kind: 'link_engine' as const, engine: { ...ENGINE, engineId } }],
    });
    const counts = [await storage.counts()];
    await appended(storage, plain, link('first'));
    await appended(storage, plain, link('second'));
    counts.push(await storage.counts());
    await appended(storage, linked, { writes: [{ kind: 'unlink_engine', engineId: ENGINE.engineId }] });
    counts.push(await storage.counts());
    await storage.deleteSession(linked);
    await storage.deleteSession(other);
    await storage.deleteSession(other);
    counts.push(await storage.counts());
    await storage.expireSessions(2000, 10);
    counts.push(await storage.counts());

    expect(counts).toEqual([
      { sessions: 3, engines: 2 },
      { sessions: 3, engines: 3 },
      { sessions: 3, engines: 2 },
      { sessions: 1, engines: 1 },
      { sessions: 0, engines: 0 },
    ]);
    expect((await storage.listSessions(OWNER, ALL)).total).toBe(0);
  });

  describe('engines (S5)', () => {
    it('links, relinks and unlinks, but not during a run', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const link = { kind: 'link_engine', engine: { ...ENGINE, engineId: 'engine-2' } } as const;
      const unlink = { kind: 'unlink_engine', engineId: ENGINE.engineId } as const;
      const runId = await queueRun(storage, session);

      const refused = [
        await append(storage, session, { writes: [link] }),
        await append(storage, session, { writes: [unlink] }),
      ];
      await appended(storage, session, { writes: [startRun(runId), finishRun(runId)] });
      await appended(storage, session, { writes: [link] });
      const changed = await append(storage, session, { writes: [unlink] });
      const relinked = await storage.getSession(session);
      await appended(storage, session, { writes: [{ ...unlink, engineId: 'engine-2' }] });

      expect(refused).toEqual(Array(2).fill({ ok: false, reason: 'run_in_progress' }));
      expect(relinked?.engine).toEqual(link.engine);
      expect(changed).toEqual({ ok: false, reason: 'engine_changed' });
      expect((await storage.getSession(session))?.engine).toBeNull();
    });

    it('sets the status of the linked engine only', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const status = (engineId: string) =>
        appended(storage, session, { writes: [{ kind: 'set_engine_status', engineId, status: 'failed' }] });

      await status('another');
      const before = await storage.getSession(session);
      await status(ENGINE.engineId);
      const after = await storage.getSession(session);

      expect([before?.engine?.status, after?.engine?.status]).toEqual(['running', 'failed']);
    });
  });

  it('touches sessions where the time grows, and skips unknown ones (S5)', async () => {
    const { storage } = data;
    const older = await createSession(storage, { createdAt: 1000 });
    const newer = await createSession(storage, { createdAt: 3000 });

    await storage.touchSessions([
      { key: older, at: 2000 },
      { key: newSession(), at: 2000 },
      { key: newer, at: 2000 },
    ]);

    expect((await storage.getSession(older))?.lastInteractionAt).toBe(2000);
    expect((await storage.getSession(newer))?.lastInteractionAt).toBe(3000);
  });

  describe('deletion (S6)', () => {
    it('is at once and everywhere', async () => {
      const { storage } = data;
      const key = await createSession(storage, { engine: ENGINE, metadata: { a: 'b' } });
      const runId = await queueRun(storage, key);
      await appended(storage, key, {
        events: [said('hello', { runId })],
        writes: [INSERT_MESSAGE],
      });

      const deleted = [await storage.deleteSession(key), await storage.deleteSession(key)];

      expect(deleted).toEqual([true, false]);
      expect(await storage.getSession(key)).toBeNull();
      expect(await storage.listSessions(OWNER, { ...ALL, metadata: { a: 'b' } })).toMatchObject({
        sessions: [],
        total: 0,
      });
      expect(await storage.readEvents(key, 0, 10)).toBeNull();
      expect(await storage.readMessages(key, { limit: 10 })).toBeNull();
      expect(await storage.snapshot(key, { limit: 10 })).toBeNull();
      expect(await storage.conversation(key, 10)).toEqual([]);
      expect(await storage.getRun(key, runId)).toBeNull();
      expect((await storage.listRuns(key, { limit: 10 })).runs).toEqual([]);
      expect(await storage.nextRun(key)).toBeNull();
      expect(await storage.unfinishedRunIds(key)).toEqual([]);
      expect(await storage.sessionsWithQueuedRuns()).toEqual([]);
      expect(await append(storage, key, { events: [event()] })).toEqual({
        ok: false,
        reason: 'session_not_found',
      });
      expect(await storage.nextExpiry()).toBeNull();
    });

    it('leaves rows that purge removes in slices of at most the limit', async () => {
      const { storage } = data;
      const doomed = [];
      for (let index = 0; index < 3; index++) {
        const key = await createSession(storage, { engine: ENGINE, metadata: { a: 'b', c: 1 } });
        const run = newRun();
        await appended(storage, key, {
          events: [event('run_queued', { eventId: 'one' }), said('hi'), event('input_requested')],
          writes: [
            createRun(run),
            { kind: 'insert_message', eventIndex: 1 },
            startRun(run.runId),
            createRequest(newRequest(run.runId), 2),
          ],
        });
        doomed.push(key);
      }
      const kept = await createSession(storage, { metadata: { a: 'b' } });
      await appended(storage, kept, { events: [event(), event()] });
      for (const key of doomed) await storage.deleteSession(key);

      // Each of the three has 10 rows: itself, 3 events, an event id, a message, a run, a request and two of metadata.
      let slices = 1;
      while (await storage.purge(2)) slices++;

      expect(slices).toBeGreaterThanOrEqual(Math.ceil((3 * 10) / 2));
      expect(await storage.purge(2)).toBe(false);
      expect((await storage.readEvents(kept, 0, 10))?.events).toHaveLength(2);
      expect((await storage.listSessions(OWNER, { ...ALL, metadata: { a: 'b' } })).sessions).toHaveLength(1);
    });
  });

  describe('expiry (S6)', () => {
    it('takes the sessions untouched for longest, without unfinished runs, at most as many as asked for', async () => {
      const { storage } = data;
      const [third, first, second, busy, fresh] = await Promise.all([
        createSession(storage, { createdAt: 3000 }),
        createSession(storage, { createdAt: 1000, ownerId: 'somebody else' }),
        createSession(storage, { createdAt: 2000, engine: ENGINE }),
        createSession(storage, { createdAt: 1000, engine: ENGINE }),
        createSession(storage, { createdAt: 5000 }),
      ]);
      await queueRun(storage, busy);

      expect(await storage.nextExpiry()).toBe(1000);
      expect(await storage.expireSessions(5000, 2)).toEqual([first, second]);
      expect(await storage.nextExpiry()).toBe(3000);
      expect(await storage.expireSessions(5000, 2)).toEqual([third]);
      expect(await storage.expireSessions(5000, 2)).toEqual([]);
      expect(await storage.getSession(first)).toBeNull();
      expect(await storage.getSession(busy)).not.toBeNull();
      expect(await storage.nextExpiry()).toBe(5000);
      expect(await storage.getSession(fresh)).not.toBeNull();
    });

    it('counts a session again when its last run has ended', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await queueRun(storage, session);

      const during = await storage.nextExpiry();
      await appended(storage, session, { writes: [startRun(runId), finishRun(runId)] });

      expect(during).toBeNull();
      expect(await storage.nextExpiry()).toBe(1000);
      expect(await storage.expireSessions(1001, 10)).toEqual([session]);
    });

    it('goes by the last touch', async () => {
      const { storage } = data;
      const session = await createSession(storage, { createdAt: 1000 });

      await storage.touchSessions([{ key: session, at: 4000 }]);

      expect(await storage.expireSessions(4000, 10)).toEqual([]);
      expect(await storage.nextExpiry()).toBe(4000);
    });
  });
}
