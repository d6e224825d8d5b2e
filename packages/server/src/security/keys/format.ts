/**
 * What a key looks like: `llmgine_key_ID_BODYSUM`. Issuer and kind are for people and for scanners that look for leaked
 * keys, the id is for look-ups, the body is the secret, and the sum tells typos and garbage without a look-up.
 */
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The largest multiple of 62 in a byte: what is above it would make some characters likelier. */
const FAIR = 248;
const ISSUER = 'llmgine_';
const ID_LENGTH = 12;
/** 62^22 is more than 2^130. */
const BODY_LENGTH = 22;
const SUM_LENGTH = 6;
const KEY = /^llmgine_(key_[0-9A-Za-z]{12})_[0-9A-Za-z]{28}$/;

export interface FreshKey {
  readonly keyId: string;
  /** The key itself: for whoever asked for it, and for nobody else. */
  readonly key: string;
  readonly digest: Uint8Array;
}

export function makeKey(): FreshKey {
  const keyId = `key_${randomText(ID_LENGTH)}`;
  const text = `${ISSUER}${keyId}_${randomText(BODY_LENGTH)}`;
  const key = text + checksum(text);
  return { keyId, key, digest: digestOf(key) };
}

/** The id of what looks like a key of this server; null for anything else. */
export function keyIdOf(offered: string): string | null {
  const keyId = KEY.exec(offered)?.[1];
  if (keyId === undefined) return null;
  return checksum(offered.slice(0, -SUM_LENGTH)) === offered.slice(-SUM_LENGTH) ? keyId : null;
}

export function digestOf(key: string): Uint8Array {
  return createHash('sha256').update(key).digest();
}

/** Of letters and digits, each as likely as the others. */
export function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < FAIR && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let sum = '';
  for (let index = 0; index < SUM_LENGTH; index++) {
    sum = `${ALPHABET[rest % ALPHABET.length]}${sum}`;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return sum;
}
