import { type Json, jsonObjectSchema } from '@llmgine/protocol';

/** Whether a value has no more levels than the protocol takes. What is nested without end, nobody could write down or read again. */
export function isShallow(value: Json): boolean {
  return jsonObjectSchema.safeParse({ value }).success;
}
