import { ApiError, type FieldError } from '@llmgine/protocol';
import type { z } from 'zod';

/** The issues of a Zod error as field errors; paths are dotted, below `prefix` where one is given. */
export function fieldErrors(error: z.ZodError, prefix = ''): FieldError[] {
  return error.issues.map((issue) => ({
    path: [...(prefix === '' ? [] : [prefix]), ...issue.path].join('.'),
    message: issue.message,
  }));
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
