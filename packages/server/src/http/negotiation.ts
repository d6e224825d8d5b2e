import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { SessionKey } from '../storage/types.ts';

/** Whether `Accept` names server-sent events. A wildcard does not: a client that takes anything gets JSON. */
export function wantsEventStream(headers: IncomingHttpHeaders): boolean {
  return (headers.accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/event-stream' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** RFC 7240 `Prefer: respond-async`. */
export function prefersAsync(headers: IncomingHttpHeaders): boolean {
  return [headers.prefer ?? []].flat().some((value) => /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i.test(value));
}

const KEY_MAX = 255;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The `Idempotency-Key`, without the quotes that the draft wants and few send. Throws `VALIDATION_ERROR`. */
export function idempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = String(header).replace(/^"(.*)"$/, '$1');
  if (key.length < 1 || key.length > KEY_MAX) {
    const message = `must have 1 to ${KEY_MAX} characters`;
    throw new ApiError('VALIDATION_ERROR', `Idempotency-Key ${message}`, {
      errors: [{ path: 'Idempotency-Key', message }],
    });
  }
  return key;
}

/** The run that an `Idempotency-Key` stands for: the key itself when it is a UUID, else one made of whose key it is. */
export function runIdOfKey(key: string, session: SessionKey): string {
  if (UUID.test(key)) return key;
  const digest = createHash('sha256')
    .update(JSON.stringify([session.tenantId, session.ownerId, session.sessionId, key]))
    .digest()
    .subarray(0, 16);
  // RFC 9562 version 8: an id whose other bits mean what its maker wants.
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
