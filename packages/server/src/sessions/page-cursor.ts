import { ApiError } from '@llmgine/protocol';

/** Cursors of lists: opaque, and good for the kind of list that gave them only. */
export function encodePageCursor(kind: string, position: number): string {
  return Buffer.from(`${kind}:${position}`).toString('base64url');
}

/** Throws `INVALID_CURSOR`. */
export function decodePageCursor(kind: string, cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const [name, digits = ''] = Buffer.from(cursor, 'base64url').toString('latin1').split(':');
  const position = Number(digits);
  if (name !== kind || !/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(position)) {
    throw new ApiError('INVALID_CURSOR');
  }
  return position;
}
