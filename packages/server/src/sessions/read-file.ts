import { ApiError } from '@llmgine/protocol';
import type { FileRow, Storage } from '../storage/types.ts';

/** The bytes of a file, piece by piece as they are asked for. Throws `NOT_FOUND` when it is removed meanwhile. */
export async function* readFile(
  storage: Storage,
  { tenantId, ownerId, sessionId, fileId, size }: FileRow,
): AsyncGenerator<Uint8Array, void, undefined> {
  const key = { tenantId, ownerId, sessionId };
  for (let start = 0; start < size; ) {
    const piece = await storage.files.read(key, fileId, start);
    if (!piece) throw new ApiError('NOT_FOUND', 'The file was removed while it was read');
    start += piece.length;
    yield piece;
  }
}
