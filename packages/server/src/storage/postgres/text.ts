/**
 * Text that people and programs chose may hold NUL and halves of surrogate pairs, which Postgres refuses or replaces. It
 * is stored as the inside of a JSON string: different texts stay different, and the usual ones stay as they are. What is
 * JSON already needs none of it.
 */
import { createHash } from 'node:crypto';

/** Bytes: an entry of an index has at most 2.7 kB, and some indices hold two such columns. */
const MAX_INDEXED = 500;

export function encode(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

export function decode(text: string): string {
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

export function encodeNullable(text: string | null): string | null {
  return text === null ? null : encode(text);
}

export function decodeNullable(text: string | null): string | null {
  return text === null ? null : decode(text);
}

/** For texts of any length that are looked up and never read: a long one is its digest, which no other text looks like. */
export function indexed(text: string): string {
  const encoded = encode(text);
  if (Buffer.byteLength(encoded) <= MAX_INDEXED) return encoded;
  return `\u0001${createHash('sha256').update(encoded).digest('hex')}`;
}
