/**
 * A cursor names a place in a session's log: `EPOCH:SEQ`. It is opaque to clients. The epoch is random, made with the
 * session; a cursor of another epoch names nothing.
 */
export interface CursorPosition {
  readonly epoch: string;
  /** The last event already seen; 0 is the beginning. */
  readonly seq: number;
}

const CURSOR = /^([0-9a-zA-Z_-]{4,32}):(0|[1-9][0-9]{0,15})$/;

export function formatCursor(epoch: string, seq: number): string {
  return `${epoch}:${seq}`;
}

/** The position a cursor names, or `null` when the text is not a cursor at all. */
export function parseCursor(cursor: string): CursorPosition | null {
  const match = CURSOR.exec(cursor);
  if (!match) return null;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1] as string, seq } : null;
}
