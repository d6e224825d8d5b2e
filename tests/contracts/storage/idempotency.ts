import { describe, expect, it } from 'vitest';
import type { IdempotencyRecord } from '../../../packages/server/src/storage/types.ts';
import {
  append,
  appended,
  createRun,
  createSession,
  ENGINE,
  event,
  newRun,
  newSession,
  type OpenFresh,
  OWNER,
  readLog,
  useStorage,
} from './fixtures.ts';

function newRecord(values: Partial<IdempotencyRecord> = {}): IdempotencyRecord {
  return {
    ...OWNER,
    idempotencyKey: 'POST /api/sessions key',
    bodyHash: 'hash',
    response: '{"status":201}',
    createdAt: 1000,
    ...values,
  };
}

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeIdempotency(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  describe('a record (P5)', () => {
    it('is found as it was kept, by its owner', async () => {
      const { storage } = data;
      const record = newRecord({ idempotencyKey: 'ünï \u0000 🚀', response: '{"text":"ünï \\u0000"}' });
      await storage.createSession(newSession(), 10, record);

      expect(await storage.getIdempotency(OWNER, record.idempotencyKey)).toEqual(record);
      expect(await storage.getIdempotency(OWNER, 'ünï')).toBeNull();
      expect(await storage.getIdempotency({ ...OWNER, ownerId: 'other' }, record.idempotencyKey)).toBeNull();
    });

    it('is of one owner: the same key of another is another', async () => {
      const { storage } = data;
      const theirs = newRecord({ ownerId: 'other', response: '{"theirs":true}' });

      const made = [
        await storage.createSession(newSession(), 10, newRecord()),
        await storage.createSession(newSession({ ownerId: 'other' }), 10, theirs),
      ];

      expect(made).toEqual(['created', 'created']);
      expect(await storage.getIdempotency(OWNER, theirs.idempotencyKey)).toEqual(newRecord());
      expect(await storage.getIdempotency(theirs, theirs.idempotencyKey)).toEqual(theirs);
    });
  });

  describe('appends', () => {
    it('are applied once under a key, whatever else would refuse them (P5)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const call = {
        events: [event('run_queued', { eventId: 'one' })],
        writes: [createRun(newRun())],
        idempotency: newRecord(),
      };

      const first = await append(storage, session, call);
      const again = await append(storage, session, { ...call, idempotency: newRecord({ response: '{}' }) });

      expect(first.ok).toBe(true);
      expect(again).toEqual({ ok: false, reason: 'idempotency_exists' });
      expect(await readLog(storage, session)).toHaveLength(1);
      expect(await storage.getIdempotency(OWNER, newRecord().idempotencyKey)).toEqual(newRecord());
    });

    it('see the records of the same batch (P5)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const call = { session, events: [event()], idempotency: newRecord() };

      const outcomes = await storage.append([call, call, { session, events: [event()] }]);

      expect(outcomes).toMatchObject([
        { ok: true, firstSeq: 1 },
        { ok: false, reason: 'idempotency_exists' },
        { ok: true, firstSeq: 2 },
      ]);
    });

    it('keep no record when they are refused (S4)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      await appended(storage, session, { events: [event('custom:a', { eventId: 'one' })] });

      const outcomes = await storage.append([
        { session, events: [event('custom:a', { eventId: 'one' })], idempotency: newRecord() },
        { session, events: [event()], writes: [createRun(newRun())], idempotency: newRecord() },
        { session: newSession(), events: [event()], idempotency: newRecord() },
      ]);

      expect(outcomes.map((outcome) => outcome.ok || outcome.reason)).toEqual([
        'event_exists',
        'engine_changed',
        'session_not_found',
      ]);
      expect(await storage.getIdempotency(OWNER, newRecord().idempotencyKey)).toBeNull();
    });
  });

  describe('sessions', () => {
    it('are made once under a key, however many ask at once (P5)', async () => {
      const { storage } = data;
      const attempts = Array.from({ length: 50 }, (_, index) => ({
        session: newSession(),
        record: newRecord({ response: String(index) }),
      }));

      const outcomes = await Promise.all(
        attempts.map(({ session, record }) => storage.createSession(session, 100, record)),
      );

      const made = outcomes.indexOf('created');
      expect(outcomes.toSorted()).toEqual(['created', ...Array(49).fill('idempotency_exists')]);
      expect(await storage.getIdempotency(OWNER, newRecord().idempotencyKey)).toMatchObject({
        response: String(made),
      });
      expect(await storage.counts()).toEqual({ sessions: 1, engines: 0 });
      expect(await storage.getSession(attempts[made]?.session ?? newSession())).not.toBeNull();
    });

    it('that were made are answered again when no more may be made (P5)', async () => {
      const { storage } = data;
      await storage.createSession(newSession(), 1, newRecord());
      const other = newRecord({ idempotencyKey: 'other' });

      expect(await storage.createSession(newSession(), 1, newRecord())).toBe('idempotency_exists');
      expect(await storage.createSession(newSession(), 1, other)).toBe('full');
      expect(await storage.getIdempotency(OWNER, 'other')).toBeNull();
    });

    it('are deleted with a record of it, and one that is there is left as it is (P5)', async () => {
      const { storage } = data;
      const [first, second] = [await createSession(storage), await createSession(storage)];

      const deleted = [
        await storage.deleteSession(first, newRecord()),
        await storage.deleteSession(second, newRecord({ response: '{"other":true}' })),
        await storage.deleteSession(second, newRecord()),
      ];

      expect(deleted).toEqual([true, true, false]);
      expect(await storage.getIdempotency(OWNER, newRecord().idempotencyKey)).toEqual(newRecord());
      expect(await storage.counts()).toEqual({ sessions: 0, engines: 0 });
    });
  });

  it('outlives the process (P2)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    await data.storage.createSession(newSession(), 10, newRecord());

    const storage = await data.restart();

    expect(await storage.createSession(newSession(), 10, newRecord())).toBe('idempotency_exists');
    expect(await storage.getIdempotency(OWNER, newRecord().idempotencyKey)).toEqual(newRecord());
  });

  it('is removed when it is old, in slices of at most the limit (S6)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    for (let index = 0; index < 6; index++) {
      await appended(storage, session, {
        idempotency: newRecord({ idempotencyKey: String(index), createdAt: 1000 + index }),
      });
    }
    const kept = async () => {
      const found = [];
      for (let index = 0; index < 6; index++) found.push(await storage.getIdempotency(OWNER, String(index)));
      return found.filter((record) => record !== null).map(({ idempotencyKey }) => idempotencyKey);
    };

    const more = [await storage.pruneIdempotency(1000, 2), await storage.pruneIdempotency(1005, 2)];
    const left = [await kept()];
    while (await storage.pruneIdempotency(1005, 2)) left.push(await kept());
    left.push(await kept());

    expect(more).toEqual([false, true]);
    expect(left[0]).toHaveLength(4);
    expect(left.at(-1)).toEqual(['5']);
    expect(await append(storage, session, { idempotency: newRecord({ idempotencyKey: '0' }) })).toMatchObject(
      {
        ok: true,
      },
    );
  });
}
