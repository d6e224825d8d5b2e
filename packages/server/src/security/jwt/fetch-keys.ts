import type { JSONWebKeySet } from 'jose';

/** Bytes of a key set, and keys in it. */
const MAX_BYTES = 262_144;
const MAX_KEYS = 100;
const TIMEOUT_MS = 5000;

/**
 * Fetches a key set. Follows no redirect: where the keys come from is for the operator to say. Rejects with an `Error` for
 * what is no key set, takes too long or is too long.
 */
export async function fetchKeys(
  url: string,
  signal: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    // A few bytes could become more than all memory.
    headers: { accept: 'application/jwk-set+json, application/json', 'accept-encoding': 'identity' },
  });
  if (response.status !== 200 || !response.body) {
    await response.body?.cancel();
    throw new Error(`The key set was answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop ends the connection.
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`The key set is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const keySet = parse(Buffer.concat(chunks).toString('utf8'));
  if (keySet.keys?.length > MAX_KEYS) throw new Error(`The key set has more than ${MAX_KEYS} keys`);
  return keySet;
}

/** Whether it is a key set is looked at by whoever uses it. */
function parse(text: string): JSONWebKeySet {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('The key set is no object');
  return value as JSONWebKeySet;
}
