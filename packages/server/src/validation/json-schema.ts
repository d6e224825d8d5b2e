/** Values against JSON Schema, where the schema comes as data: from engines, tools, clients and models. */
import { ApiError, type FieldError, type Json, type JsonObject } from '@llmgine/protocol';
import { Ajv2020, type ErrorObject as AjvError } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { RE2JS } from 're2js';

/** Compiling one takes time in the thread that serves everybody. */
const MAX_SCHEMA = 100_000;

/**
 * Patterns come from whoever wrote the schema, so they are matched in linear time; what cannot be (a look-ahead, a
 * back-reference) makes the schema invalid.
 */
const regExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern);
    return { test: (text: string) => compiled.matcher(text).find() };
  },
  { code: 'undefined' },
);

/** Draft 2020-12, which Zod writes. Words that it does not know are notes for whoever shows the form. */
const ajv = addFormats.default(
  new Ajv2020({ strict: false, allErrors: true, logger: false, code: { regExp } }),
);

/** Says what is wrong with a value; nothing when it fits. */
export type SchemaCheck = (value: unknown) => FieldError[];

/**
 * Compiles a schema. Throws a `TypeError` for what is no JSON Schema.
 *
 * @param root What the paths of errors begin with; default nothing.
 */
export function compileSchema(schema: JsonObject, root?: string): SchemaCheck {
  if (JSON.stringify(schema).length > MAX_SCHEMA) {
    throw new TypeError(`The schema has more than ${MAX_SCHEMA} characters`);
  }
  let validate: ReturnType<typeof ajv.compile>;
  try {
    validate = ajv.compile(schema);
  } catch (error) {
    throw new TypeError(`The schema is not valid: ${(error as Error).message}`, { cause: error });
  } finally {
    // The validator would keep every schema that it has ever seen.
    ajv.removeSchema(schema);
  }
  return (value) =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => toFieldError(error, root));
}

/** Throws a `TypeError` for what is no JSON Schema. */
export function assertSchema(schema: JsonObject): void {
  compileSchema(schema);
}

/** Throws `VALIDATION_ERROR` with the field errors when the value does not fit. */
export function checkAnswer(schema: JsonObject, value: Json | undefined): void {
  const fields = compileSchema(schema, 'value')(value);
  if (fields.length === 0) return;
  const [first] = fields;
  throw new ApiError('VALIDATION_ERROR', `The answer failed validation: ${first?.path}: ${first?.message}`, {
    errors: fields,
  });
}

function toFieldError({ instancePath, message, keyword, params }: AjvError, root?: string): FieldError {
  const missing = keyword === 'required' ? [String(params.missingProperty)] : [];
  const path = [...(root === undefined ? [] : [root]), ...instancePath.split('/').slice(1), ...missing].join(
    '.',
  );
  return { path, message: message ?? 'is not valid' };
}
