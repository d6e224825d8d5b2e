import { ApiError } from '@llmgine/protocol';

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** `SQLITE_IOERR_WRITE`, `_FSYNC` and `_SHMSIZE`: how a full disk or quota shows elsewhere than in the data itself. */
const NO_ROOM: readonly number[] = [778, 1034, 4874];

/** The extended result code of SQLite, or `null` when the error is not SQLite's. */
function resultCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode : null;
}

/** The low byte: extended codes carry their detail above it. */
function primaryCode(error: unknown): number | null {
  const code = resultCode(error);
  return code === null ? null : code & 0xff;
}

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** Whether it may work when there is more room on the disk. */
export function isFull(error: unknown): boolean {
  return primaryCode(error) === SQLITE_FULL || NO_ROOM.includes(resultCode(error) ?? 0);
}

/** What callers of the storage get to see. SQLite says `SQLITE_FULL` for a full disk and for a reached size limit alike. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const full = primaryCode(error) === SQLITE_FULL;
  return new ApiError(full ? 'STORAGE_FULL' : 'UNAVAILABLE', undefined, { cause: error });
}
