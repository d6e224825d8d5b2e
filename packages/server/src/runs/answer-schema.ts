import { ApiError, type FieldError, type Json, type JsonObject } from '@llmgine/protocol';
import { Ajv2020, type ErrorObject as AjvError } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** Draft 2020-12, which Zod writes. Words that it does not know are notes for whoever shows the form. */
const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true, logger: false }));

/** Throws a `TypeError` for what is no JSON Schema. */
export function assertSchema(schema: JsonObject): void {
  try {
    withValidator(schema, () => undefined);
  } catch (error) {
    throw new TypeError(`The schema of a request is not valid: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Throws `VALIDATION_ERROR` with the field errors when the value does not fit. */
export function checkAnswer(schema: JsonObject, value: Json | undefined): void {
  const errors = withValidator(schema, (validate) => (validate(value) ? [] : (validate.errors ?? [])));
  if (errors.length === 0) return;
  const fields = errors.map(toFieldError);
  const [first] = fields;
  throw new ApiError('VALIDATION_ERROR', `The answer failed validation: ${first?.path}: ${first?.message}`, {
    errors: fields,
  });
}

/** The validator would keep every schema that it has ever seen. */
function withValidator<Result>(
  schema: JsonObject,
  use: (validate: ReturnType<typeof ajv.compile>) => Result,
): Result {
  try {
    return use(ajv.compile(schema));
  } finally {
    ajv.removeSchema(schema);
  }
}

function toFieldError({ instancePath, message, keyword, params }: AjvError): FieldError {
  const missing = keyword === 'required' ? [String(params.missingProperty)] : [];
  const path = ['value', ...instancePath.split('/').slice(1), ...missing].join('.');
  return { path, message: message ?? 'is not valid' };
}
