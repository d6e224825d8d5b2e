import { ApiError } from '@llmgine/protocol';

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** The primary result code of SQLite, or `null` when the error is not SQLite's. */
function resultCode(error: unknown): number | null {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  // The low byte: extended codes carry their detail above it.
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : null;
}

export function isBusy(error: unknown): boolean {
  return error instanceof Error && resultCode(error) === SQLITE_BUSY;
}

/** What callers of the storage get to see. SQLite says `SQLITE_FULL` for a full disk and for a reached size limit alike. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const full = error instanceof Error && resultCode(error) === SQLITE_FULL;
  return new ApiError(full ? 'STORAGE_FULL' : 'UNAVAILABLE', undefined, { cause: error });
}
