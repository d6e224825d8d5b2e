/** The envelope of a frame that a client sent. */
import {
  ApiError,
  type ClientEnvelope,
  clientEnvelopeSchema,
  type JsonObject,
  type MessageId,
} from '@llmgine/protocol';
import { parseWith } from '../validation.ts';

/** Throws `INVALID_JSON` and `VALIDATION_ERROR`. */
export function parseEnvelope(text: string): ClientEnvelope {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ApiError('INVALID_JSON');
  }
  return isPlain(json) ? json : parseWith(clientEnvelopeSchema, json, 'The message');
}

/** An error repeats the request's `message_id` even when the rest of the envelope was wrong. */
export function salvageMessageId(text: string): MessageId | undefined {
  try {
    const { message_id: id } = JSON.parse(text) as { message_id?: unknown };
    if (typeof id === 'number' || isShort(id, 255)) return id;
  } catch {
    // Not JSON, or null: there is no id to repeat.
  }
  return undefined;
}

/**
 * Whether the schema would take it and change nothing that anybody looks at. Most frames are like that, and on each of
 * them the schema costs more than all of the rest of the envelope; what is not, is the schema's to judge.
 */
function isPlain(json: unknown): json is ClientEnvelope {
  if (typeof json !== 'object' || json === null) return false;
  const { type, message_id: id, data } = json as Record<string, unknown>;
  if (!isShort(type, 100) || type === '') return false;
  if (id !== undefined && !Number.isFinite(id) && !isShort(id, 255)) return false;
  return isFlat(data);
}

function isShort(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length <= length;
}

/** An object of plain values with plain names. */
function isFlat(data: unknown): data is JsonObject {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return false;
  for (const name in data) {
    const value = (data as JsonObject)[name];
    if ((typeof value === 'object' && value !== null) || name === '__proto__') return false;
  }
  return true;
}
