import type { JsonObject } from '@llmgine/protocol';

/** Of what was parsed from JSON: whether it is an object, and neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
