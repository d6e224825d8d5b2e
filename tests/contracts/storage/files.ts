import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type {
  FileLimits,
  IdempotencyRecord,
  NewFile,
  SessionKey,
  Storage,
} from '../../../packages/server/src/storage/types.ts';
import { createSession, newSession, type OpenFresh, OWNER, useStorage } from './fixtures.ts';

export const LIMITS: FileLimits = { maxFiles: 100, maxBytes: 1_000_000 };
const WAV = { mimeType: 'audio/wav', duration: 1.25, at: 6000 } as const;
const RECORD: IdempotencyRecord = {
  ...OWNER,
  idempotencyKey: 'POST audio key',
  bodyHash: 'hash',
  response: '{"status":201}',
  createdAt: 1000,
};

export function newFile(values: Partial<NewFile> = {}): NewFile {
  return { fileId: `file_${randomUUID()}`, room: 1000, createdAt: 5000, ...values };
}

/** Bytes that look like no others. */
function bytes(size: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed) % 256);
}

/** A file that is begun, with pieces of these sizes. */
export async function openFile(
  storage: Storage,
  session: SessionKey,
  pieces: readonly number[] = [],
  values: Partial<NewFile> = {},
): Promise<string> {
  const file = newFile(values);
  expect(await storage.files.begin(session, file, LIMITS)).toBe('begun');
  let start = 0;
  for (const size of pieces) {
    const piece = { start, bytes: bytes(size), writtenAt: file.createdAt };
    expect(await storage.files.write(session, file.fileId, piece)).toBe(true);
    start += size;
  }
  return file.fileId;
}

export async function completeFile(
  storage: Storage,
  session: SessionKey,
  pieces: readonly number[] = [10],
): Promise<string> {
  const fileId = await openFile(storage, session, pieces);
  expect(await storage.files.complete(session, fileId, WAV)).toBe('completed');
  return fileId;
}

async function readAll(storage: Storage, session: SessionKey, fileId: string): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (;;) {
    const piece = await storage.files.read(session, fileId, start);
    if (!piece) return pieces;
    pieces.push(new Uint8Array(piece));
    start += piece.length;
  }
}

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeFiles(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  it('are read as they were written, in pieces (S5)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await completeFile(storage, session, [65_536, 1, 3000]);

    expect(await storage.files.get(session, fileId)).toEqual({
      ...session,
      fileId,
      mimeType: 'audio/wav',
      size: 68_537,
      duration: 1.25,
      createdAt: 5000,
    });
    expect(await readAll(storage, session, fileId)).toEqual([bytes(65_536), bytes(1), bytes(3000)]);
    expect(await storage.files.read(session, fileId, 7)).toBeNull();
  });

  it('are nowhere before they are complete, and there at once then (S4)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await openFile(storage, session, [10]);

    const before = [await storage.files.get(session, fileId), await storage.files.read(session, fileId, 0)];
    const completed = [
      await storage.files.complete(session, fileId, { ...WAV, duration: null }),
      await storage.files.complete(session, fileId, WAV),
    ];

    expect(before).toEqual([null, null]);
    expect(completed).toEqual(['completed', 'not_open']);
    expect(await storage.files.get(session, fileId)).toMatchObject({ size: 10, duration: null });
    const late = { start: 10, bytes: bytes(1), writtenAt: 1 };
    expect(await storage.files.write(session, fileId, late)).toBe(false);
  });

  it('grow at their end only, and the same piece again is no error (S4)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await openFile(storage, session, [10]);
    const write = (start: number, size: number) =>
      storage.files.write(session, fileId, { start, bytes: bytes(size), writtenAt: 5000 });

    const outcomes = [await write(11, 5), await write(0, 5), await write(0, 10), await write(10, 4)];
    await storage.files.complete(session, fileId, WAV);

    expect(outcomes).toEqual([false, false, true, true]);
    expect(await readAll(storage, session, fileId)).toEqual([bytes(10), bytes(4)]);
  });

  it('are limited in number and in bytes, those that are not complete among them (S4)', async () => {
    const { storage } = data;
    const [session, other] = [await createSession(storage), await createSession(storage)];
    const limits = { maxFiles: 3, maxBytes: 2000 };
    const begin = (room: number, key = session) => storage.files.begin(key, newFile({ room }), limits);
    const first = await openFile(storage, session, [10], { room: 1500 });

    const whileOpen = [await begin(501), await begin(500)];
    await storage.files.complete(session, first, WAV);
    const whenComplete = [await begin(1491), await begin(1490), await begin(0), await begin(2000, other)];
    await storage.files.remove(session, first);
    const whenRemoved = [await begin(11), await begin(10)];

    expect(whileOpen).toEqual(['full', 'begun']);
    expect(whenComplete).toEqual(['full', 'begun', 'full', 'begun']);
    expect(whenRemoved).toEqual(['full', 'begun']);
  });

  it('are limited exactly when many begin at once (S3)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const limits = { maxFiles: 100, maxBytes: 5000 };

    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => storage.files.begin(session, newFile(), limits)),
    );

    expect(outcomes.filter((outcome) => outcome === 'begun')).toHaveLength(5);
  });

  it('are completed with a record of it, or not at all (P5)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const [first, second] = [await openFile(storage, session, [1]), await openFile(storage, session, [1])];

    const outcomes = [
      await storage.files.complete(session, first, WAV, RECORD),
      await storage.files.complete(session, second, WAV, { ...RECORD, response: '{}' }),
    ];

    expect(outcomes).toEqual(['completed', 'idempotency_exists']);
    expect(await storage.getIdempotency(OWNER, RECORD.idempotencyKey)).toEqual(RECORD);
    expect(await storage.files.get(session, second)).toBeNull();
    expect(await storage.files.complete(session, second, WAV)).toBe('completed');
  });

  it('are removed once, with a record of it (P5)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await completeFile(storage, session);

    expect(await storage.files.remove(session, fileId, RECORD)).toBe(true);
    expect(await storage.files.remove(session, fileId)).toBe(false);
    expect(await storage.files.get(session, fileId)).toBeNull();
    expect(await storage.files.read(session, fileId, 0)).toBeNull();
    expect(await storage.getIdempotency(OWNER, RECORD.idempotencyKey)).toEqual(RECORD);
  });

  it('that are removed while they are written are gone for their writer, too (S4)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await openFile(storage, session, [10]);

    expect(await storage.files.remove(session, fileId)).toBe(true);

    const piece = { start: 10, bytes: bytes(1), writtenAt: 6000 };
    expect(await storage.files.write(session, fileId, piece)).toBe(false);
    expect(await storage.files.complete(session, fileId, WAV)).toBe('not_open');
  });

  it('of somebody else, of another session and of one that is gone are not there (S1)', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await completeFile(storage, session);
    const open = await openFile(storage, session, [10]);
    const gone = await createSession(storage);
    const left = await completeFile(storage, gone);
    await storage.deleteSession(gone);
    const strangers: readonly (readonly [SessionKey, string, string])[] = [
      [{ ...session, ownerId: 'other' }, fileId, open],
      [{ ...session, tenantId: 'other' }, fileId, open],
      [await createSession(storage), fileId, open],
      [newSession(), fileId, open],
      [gone, left, left],
    ];

    for (const [key, file, written] of strangers) {
      const piece = { start: 10, bytes: bytes(1), writtenAt: 6000 };
      expect(await storage.files.get(key, file)).toBeNull();
      expect(await storage.files.read(key, file, 0)).toBeNull();
      expect(await storage.files.remove(key, file)).toBe(false);
      expect(await storage.files.write(key, written, piece)).toBe(false);
      expect(await storage.files.complete(key, written, WAV)).toBe('not_open');
    }
    for (const [key] of [strangers[0], strangers[3], strangers[4]].filter((one) => one !== undefined)) {
      expect(await storage.files.begin(key, newFile(), LIMITS)).toBe('session_not_found');
    }
    expect(await storage.files.get(session, fileId)).not.toBeNull();
  });

  it('have ids of any characters', async () => {
    const { storage } = data;
    const session = await createSession(storage);
    const fileId = await openFile(storage, session, [3], { fileId: 'ünï \u0000 🚀' });
    await storage.files.complete(session, fileId, WAV);

    expect(await storage.files.get(session, fileId)).toMatchObject({ fileId });
    expect(await storage.files.get(session, 'ünï \u0000')).toBeNull();
  });

  describe('what is left over', () => {
    it('goes in slices: what was removed, and what nobody has written for a while (S6)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const kept = await completeFile(storage, session, [5, 5]);
      const removed = await completeFile(storage, session, [1, 1, 1]);
      const stale = await openFile(storage, session, [1, 1], { createdAt: 1000 });
      const live = await openFile(storage, session, [1], { createdAt: 3000 });
      const idle = await storage.files.nextPurge();
      await storage.files.remove(session, removed);

      const due = [idle, await storage.files.nextPurge()];
      let slices = 1;
      while (await storage.files.purge(2000, 2)) slices++;

      expect(due).toEqual([1000, 0]);
      // Five pieces and two files, two a slice.
      expect(slices).toBeGreaterThanOrEqual(3);
      expect(await storage.files.nextPurge()).toBe(3000);
      const piece = { start: 2, bytes: bytes(1), writtenAt: 3000 };
      expect(await storage.files.write(session, stale, piece)).toBe(false);
      expect(await storage.files.complete(session, live, WAV)).toBe('completed');
      expect(await readAll(storage, session, kept)).toEqual([bytes(5), bytes(5)]);
      // Nothing of it is left: the same id can be written again from the beginning.
      const again = await openFile(storage, session, [7], { fileId: removed });
      await storage.files.complete(session, again, WAV);
      expect(await readAll(storage, session, again)).toEqual([bytes(7)]);
    });

    it('goes in slices also when it is many files without a byte (S6)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      for (let n = 0; n < 10; n++) await openFile(storage, session, [], { createdAt: 1000 });

      let slices = 1;
      while (await storage.files.purge(2000, 3)) slices++;

      expect(slices).toBeGreaterThanOrEqual(4);
      expect(await storage.files.nextPurge()).toBeNull();
    });

    it('of a slice is nothing that its writer can go on with (S4)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const fileId = await openFile(storage, session, [1, 1, 1], { createdAt: 1000 });

      expect(await storage.files.purge(2000, 1)).toBe(true);

      const piece = { start: 3, bytes: bytes(1), writtenAt: 9000 };
      expect(await storage.files.write(session, fileId, piece)).toBe(false);
      expect(await storage.files.complete(session, fileId, WAV)).toBe('not_open');
    });

    it('is moved on by writing (S6)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const fileId = await openFile(storage, session, [1], { createdAt: 1000 });

      await storage.files.write(session, fileId, { start: 1, bytes: bytes(1), writtenAt: 8000 });

      expect(await storage.files.nextPurge()).toBe(8000);
      expect(await storage.files.purge(8000, 10)).toBe(false);
      expect(await storage.files.complete(session, fileId, WAV)).toBe('completed');
      expect(await storage.files.nextPurge()).toBeNull();
    });

    it('by deleted sessions goes with them, in slices (S6)', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      await completeFile(storage, session, Array<number>(100).fill(1));
      await openFile(storage, session, [1, 1]);
      await storage.deleteSession(session);

      let slices = 1;
      while (await storage.purge(1000)) slices++;

      // However many rows there may be in a slice, pieces of files are larger.
      expect(slices).toBe(2);
      expect(await storage.files.nextPurge()).toBeNull();
    });
  });

  it('outlive the process when they are complete, and what is not can be found (P2)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    const session = await createSession(data.storage);
    const fileId = await completeFile(data.storage, session, [10, 20]);
    const open = await openFile(data.storage, session, [10], { createdAt: 1000 });

    const storage = await data.restart();

    expect(await readAll(storage, session, fileId)).toEqual([bytes(10), bytes(20)]);
    expect(await storage.files.get(session, open)).toBeNull();
    expect(await storage.files.nextPurge()).toBe(1000);
  });
}
