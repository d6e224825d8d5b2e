import type { SessionKey, Storage } from '../../src/storage/types.ts';

/** Everything that can be done with files. */
export async function useFiles({ files }: Storage, session: SessionKey): Promise<void> {
  const file = { fileId: 'file', room: 10, createdAt: 1000 };
  const piece = { start: 0, bytes: new Uint8Array(3), writtenAt: 1000 };
  await files.begin(session, file, { maxFiles: 100, maxBytes: 1000 });
  await files.write(session, 'file', piece);
  await files.write(session, 'file', piece);
  await files.complete(session, 'file', { mimeType: 'audio/wav', duration: 1, at: 1000 });
  await files.get(session, 'file');
  await files.read(session, 'file', 0);
  await files.remove(session, 'file');
  await files.nextPurge();
  await files.purge(1, 1);
  await files.purge(1, 10);
}
