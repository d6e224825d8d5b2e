import { ApiError, type FieldError, type JsonObject } from '@llmgine/protocol';
import { z } from 'zod';

/** The issues of a Zod error as field errors; paths are dotted, below `prefix` where one is given. */
export function fieldErrors(error: z.ZodError, prefix = ''): FieldError[] {
  return error.issues.map((issue) => ({
    path: [...(prefix === '' ? [] : [prefix]), ...issue.path].join('.'),
    message: issue.message,
  }));
}

/**
 * JSON Schema (draft 2020-12) of what the schema takes. What JSON Schema cannot say throws, or with `any` takes anything.
 */
export function jsonSchemaOf(schema: z.ZodType, unrepresentable: 'throw' | 'any' = 'throw'): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable });
  return rest as JsonObject;
}

/**
 * What is kept of an input that a schema has taken: its output, where that is JSON which the schema takes again with the
 * same outcome, so that unknown fields are gone; else the input, because a schema may turn it into anything.
 */
export function storable(schema: z.ZodType, input: JsonObject, output: unknown): JsonObject {
  const text = jsonText(output);
  if (text === undefined) return input;
  const again = schema.safeParse(JSON.parse(text));
  return again.success && jsonText(again.data) === text ? (JSON.parse(text) as JsonObject) : input;
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Parses, or throws `VALIDATION_ERROR` with the field errors. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
  prefix = '',
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = fieldErrors(result.error, prefix);
  const first = errors[0];
  const place = first?.path ? `${first.path}: ` : '';
  throw new ApiError(
    'VALIDATION_ERROR',
    `${what} failed validation: ${place}${first?.message ?? 'invalid'}`,
    { errors },
  );
}
