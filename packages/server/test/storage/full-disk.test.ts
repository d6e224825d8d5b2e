import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  finishRun,
  newSession,
  OWNER,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import type { SessionKey, Storage } from '../../src/storage/types.ts';
import { fillDisk, smallDisk } from './folder.ts';

const DISK_SIZE = 24;
const RESERVE_SIZE = 4 * 1024 * 1024;
const FULL = { name: 'ApiError', code: 'STORAGE_FULL' };
const LARGE = JSON.stringify({ text: 'x'.repeat(50_000) });
const open = (path: string) => openSqliteStorage({ path, synchronous: 'normal' });

/** Appends until there is no room for the smallest thing; how many of the appends were stored. */
async function fill(storage: Storage, session: SessionKey, folder: string): Promise<number> {
  let stored = 0;
  for (const payload of [LARGE, '{}']) {
    const events = [event('custom:filler', { payload })];
    for (let failure: unknown; failure === undefined; ) {
      try {
        stored = (await appended(storage, session, { events })).lastSeq;
      } catch (error) {
        expect(error).toMatchObject(FULL);
        failure = error;
        fillDisk(folder);
      }
    }
    await expect(append(storage, session, { events })).rejects.toMatchObject(FULL);
  }
  return stored;
}

async function remove(storage: Storage, session: SessionKey): Promise<void> {
  expect(await storage.deleteSession(session)).toBe(true);
  while (await storage.purge(50));
}

function expectIntact(path: string): void {
  const reader = new DatabaseSync(path, { readOnly: true });
  expect(reader.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  reader.close();
}

describe('on a full disk', () => {
  it('writes are refused, reads go on, and what is deleted makes room, again and again (P2)', async (context) => {
    const folder = await smallDisk(context, DISK_SIZE);
    const path = join(folder, 'llmgine.db');
    const storage = await open(path);
    const kept = await createSession(storage);

    for (let round = 0; round < 5; round++) {
      const session = await createSession(storage);
      const stored = await fill(storage, session, folder);
      const large = newSession({ metadata: { text: LARGE } });
      await expect(storage.createSession(large, 100)).rejects.toMatchObject(FULL);
      expect(await storage.readEvents(session, stored - 1, 2)).toMatchObject({
        headSeq: stored,
        events: [{ seq: stored }],
      });
      expect(stored).toBeGreaterThan(200);

      await remove(storage, session);
      // In the room of what was deleted: the disk itself has none to give.
      expect(await append(storage, kept, { events: [event()] })).toMatchObject({
        ok: true,
        lastSeq: round + 1,
      });
    }

    expect(await storage.counts()).toEqual({ sessions: 1, engines: 0 });
    await storage.close();
    expectIntact(path);
  });

  it('the data is opened, read and deleted (P2)', async (context) => {
    const folder = await smallDisk(context, DISK_SIZE);
    const path = join(folder, 'llmgine.db');
    const before = await open(path);
    const session = await createSession(before);
    const stored = await fill(before, session, folder);
    await before.close();
    fillDisk(folder);

    const storage = await open(path);
    const page = await storage.readEvents(session, stored - 1, 2);
    await remove(storage, session);

    expect(page?.events).toHaveLength(1);
    expect(storage.boot).toBe(before.boot + 1);
    await storage.close();
    expectIntact(path);
  });

  it.for<[string, (storage: Storage) => Promise<unknown>]>([
    ['deleteSession', (storage) => storage.deleteSession({ ...OWNER, sessionId: 'prepared' })],
    ['expireSessions', (storage) => storage.expireSessions(2000, 10)],
    ['purge', (storage) => storage.purge(10)],
    ['compactEvents', (storage) => storage.compactEvents(10_000, 10)],
    ['pruneEvents', (storage) => storage.pruneEvents(10_000, 10)],
    ['pruneIdempotency', (storage) => storage.pruneIdempotency(10_000, 10)],
  ])('%s still removes something (P6)', async ([, removes], context) => {
    const folder = await smallDisk(context, DISK_SIZE);
    const storage = await open(join(folder, 'llmgine.db'));
    await prepare(storage);
    await fill(storage, await createSession(storage, { createdAt: 1e6 }), folder);

    await expect(removes(storage)).resolves.toBeTruthy();

    await storage.close();
  });
});

it('room for a full disk is kept, and again when there is room again', async (context) => {
  const folder = await smallDisk(context, DISK_SIZE);
  const path = join(folder, 'llmgine.db');
  const size = () => stat(`${path}.reserve`).then((file) => file.size);
  const storage = await open(path);
  const session = await createSession(storage);

  const sizes = [await size()];
  await fill(storage, session, folder);
  sizes.push(await size());
  await remove(storage, session);
  sizes.push(await size());
  await storage.close();

  expect(sizes).toEqual(Array(3).fill(RESERVE_SIZE));
});

/** Something for everything that removes something. */
async function prepare(storage: Storage): Promise<void> {
  const session = await createSession(storage, { sessionId: 'prepared', createdAt: 1e6, engine: ENGINE });
  const runId = await startedRun(storage, session);
  await appended(storage, session, {
    events: [event('message_started', { runId }), ...Array(20).fill(event('text_delta', { runId }))],
    writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
  });
  for (let index = 0; index < 20; index++) {
    await appended(storage, session, {
      idempotency: { ...OWNER, idempotencyKey: String(index), bodyHash: 'h', response: '', createdAt: 1 },
    });
  }
  await appended(storage, session, {
    events: [event('message_completed', { runId, payload: '{"text":"x"}' })],
    writes: [{ kind: 'insert_message', eventIndex: 0, streamed: true }, finishRun(runId)],
  });
  await createSession(storage, { createdAt: 1000 });
  const deleted = await createSession(storage);
  await appended(storage, deleted, { events: Array(20).fill(event()) });
  await storage.deleteSession(deleted);
}
