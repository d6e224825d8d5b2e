import { z } from 'zod';

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Of objects and arrays in each other. */
const MAX_LEVELS = 100;

/** Whoever reads it later, in whatever language, may do so by recursion. */
const TOO_DEEP = `must be JSON of at most ${MAX_LEVELS} levels`;

export const jsonSchema: z.ZodType<Json> = z
  .unknown()
  .refine((value) => isJson(value, MAX_LEVELS), TOO_DEEP)
  .meta({ id: 'Json', description: 'Any JSON value' }) as unknown as z.ZodType<Json>;
// `unknown` at run time costs nothing: what arrives was parsed from JSON, what leaves is serialised to it.
export const jsonObjectSchema: z.ZodType<JsonObject> = z
  .record(z.string(), z.unknown())
  .refine(
    (value) => !isDeeperThan(value, MAX_LEVELS),
    `at most ${MAX_LEVELS} levels`,
  ) as unknown as z.ZodType<JsonObject>;

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}

function isJson(value: unknown, levels: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      return value === null || (levels > 0 && isPlain(value) && allJson(Object.values(value), levels - 1));
    default:
      return false;
  }
}

function allJson(values: readonly unknown[], levels: number): boolean {
  return values.every((value) => isJson(value, levels));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Of whatever realm.
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** ISO 8601 in UTC with milliseconds, for example `2026-01-01T12:00:00.000Z`. */
export const timestampSchema = z.iso
  .datetime({ precision: 3 })
  .meta({ description: 'ISO 8601, UTC, milliseconds', examples: ['2026-01-01T12:00:00.000Z'] });

export const sessionIdSchema = z.uuid().meta({ description: 'Session id, a UUID' });
export const runIdSchema = z.uuid().meta({ description: 'Run id, a UUID; the client may choose it' });
export const cursorSchema = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'Opaque place in the log of a session', examples: ['k3v9x0a1b2c4:17'] });

export const engineTypeSchema = z
  .string()
  .min(1)
  .max(100)
  .meta({ examples: ['ToolChatEngine'] });

export const usageSchema = z
  .object({
    input_tokens: z.int().nonnegative(),
    output_tokens: z.int().nonnegative(),
    total_tokens: z.int().nonnegative(),
    cached_input_tokens: z.int().nonnegative().optional(),
    reasoning_tokens: z.int().nonnegative().optional(),
    cost: z
      .number()
      .nonnegative()
      .optional()
      .meta({ description: 'In the currency of the price table; absent where no price is configured' }),
  })
  .meta({ id: 'Usage', description: 'Tokens used, as the provider counted them, and what they cost' });
export type Usage = z.infer<typeof usageSchema>;

/** The error of a run, a problem or a frame: a code of the table and a text for people. */
export const errorObjectSchema = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'ErrorObject', description: 'A code of the error table and a text for people' });
export type ErrorObject = z.infer<typeof errorObjectSchema>;
