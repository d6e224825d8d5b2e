import { ApiError } from '@llmgine/protocol';
import pg from 'pg';

/** SQLSTATE: see the appendix "PostgreSQL Error Codes" of its manual. */
const DISK_FULL = '53100';
const UNIQUE_VIOLATION = '23505';
const NOT_NULL_VIOLATION = '23502';
/** What goes by itself: a restart, a fail-over, a dead connection, a deadlock, too many connections. */
const TRANSIENT =
  /^(08...|57P0[1235]|25P0[34]|25006|40001|40P01|53300|55P03|E(CONN|PIPE|HOST|NET|TIMEDOUT|NOTFOUND|NOENT|AI_AGAIN).*)$/;
/** Seconds after which a client should try again. */
const RETRY_AFTER = 1;

/** A connection ended, or did not come in time: the driver has no code for it. */
export class ConnectionError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'ConnectionError';
  }
}

/** SQLSTATE, or the code of Node's own error. */
export function codeOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : null;
}

/** Whether the same work may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  return error instanceof ConnectionError || TRANSIENT.test(codeOf(error) ?? '');
}

/** Somebody else wrote a row of the same key first. */
export function violates(error: unknown, constraint: string): boolean {
  return (
    error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION && error.constraint === constraint
  );
}

/** A column that must have a value was given none. */
export function isMissing(error: unknown, table: string, column: string): boolean {
  if (!(error instanceof pg.DatabaseError) || error.code !== NOT_NULL_VIOLATION) return false;
  return error.table === table && error.column === column;
}

/** What callers of the storage get to see. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = codeOf(error) === DISK_FULL ? 'STORAGE_FULL' : 'UNAVAILABLE';
  return new ApiError(code, undefined, { cause: error, retryAfter: RETRY_AFTER });
}

const REASONS: Readonly<Record<string, string>> = {
  '28P01': 'wrong user or password',
  '28000': 'wrong user or password',
  '3D000': 'there is no such database',
  '42501': 'the user may not create tables in it',
  '53300': 'it has too many connections already',
  '57P03': 'it is starting up or shutting down',
};

/** Why it cannot be opened, in one line without names of users. */
export function openReason(error: unknown): string {
  const code = codeOf(error);
  if (code !== null && REASONS[code]) return REASONS[code];
  // One for each address that was tried has no message of its own.
  const text = error instanceof Error ? error.message || code || error.name : String(error);
  const line = text.replace(/\s+/g, ' ');
  const unreachable = !(error instanceof pg.DatabaseError) && isTransient(error);
  return unreachable ? `it cannot be reached: ${line}` : line;
}
