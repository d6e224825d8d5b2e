/** Values against JSON Schema, where the schema comes as data: from engines, tools, clients and models. */
import { ApiError, type FieldError, type Json, type JsonObject } from '@llmgine/protocol';
import { Ajv2020, type ErrorObject as AjvError, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { RE2JS } from 're2js';
import { countSteps, stepped, TooManySteps } from './bounded-schema.ts';

/** Compiling one takes time in the thread that serves everybody. */
const MAX_SCHEMA = 100_000;
/** Of one value: a long list of wrong items says nothing more after these. */
const MAX_ERRORS = 20;

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

/**
 * Draft 2020-12, which Zod writes. Words that it does not know are notes for whoever shows the form. What a value only
 * inherits is not there: every object has a `constructor`.
 */
const OPTIONS = {
  strict: false,
  allErrors: true,
  ownProperties: true,
  logger: false,
  code: { regExp },
} as const;
/** What schemas themselves have to fit; made once, because it takes long. */
const ofSchemas = new Ajv2020(OPTIONS);

interface Compiled {
  readonly validate: ValidateFunction;
  readonly start: () => void;
}

/** A compiler keeps every schema that it has seen, so each schema gets one of its own. */
function compile(schema: JsonObject): Compiled {
  const errors = ofSchemas.validateSchema(schema) ? '' : ofSchemas.errorsText(ofSchemas.errors);
  if (errors !== '') throw new Error(errors);
  const ajv = addFormats.default(new Ajv2020({ ...OPTIONS, meta: false, validateSchema: false }));
  const start = countSteps(ajv);
  return { validate: ajv.compile(stepped(schema)), start };
}

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
  let compiled: Compiled;
  try {
    compiled = compile(schema);
  } catch (error) {
    throw new TypeError(`The schema is not valid: ${(error as Error).message}`, { cause: error });
  }
  const { validate, start } = compiled;
  return (value) => {
    start();
    try {
      if (validate(value)) return [];
    } catch (error) {
      if (!(error instanceof TooManySteps || error instanceof RangeError)) throw error;
      return [{ path: root ?? '', message: 'is too much to check by this schema' }];
    }
    const errors = (validate.errors ?? []).slice(0, MAX_ERRORS).map((error) => toFieldError(error, root));
    // The function would keep them, and the value with them, until its next call.
    validate.errors = null;
    return errors;
  };
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
