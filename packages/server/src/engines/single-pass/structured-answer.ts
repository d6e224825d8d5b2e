import type { FieldError, Json, JsonObject } from '@llmgine/protocol';
import type { ModelRequest } from '../../models/types.ts';
import { compileSchema, type SchemaCheck } from '../../validation/json-schema.ts';
import { isShallow } from '../json-depth.ts';
import { jsonValues } from './read-json.ts';

/** Of what is wrong with one answer; the first ones say enough. */
const MAX_ERRORS = 10;

/** What an answer came to: the value that fits, or what is wrong with it, in words for models and people. */
export type Reading =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly wrong: string };

/** How an answer that has to fit a schema is asked for, and read. */
export class StructuredAnswer {
  readonly #schema: JsonObject;
  readonly #check: SchemaCheck;

  /** Throws a `TypeError` for what is no JSON Schema. */
  constructor(schema: JsonObject) {
    this.#schema = schema;
    this.#check = compileSchema(schema);
  }

  /** The request with the schema, as a format and in words: servers may ignore the format. */
  ask(request: ModelRequest): ModelRequest {
    const words = `Answer with JSON only, without any text around it. It has to fit this JSON Schema:\n${JSON.stringify(this.#schema)}`;
    return {
      ...request,
      system: request.system === undefined ? words : `${request.system}\n\n${words}`,
      // Providers refuse a format whose root is something else.
      ...(this.#schema.type === 'object' ? { responseFormat: { name: 'answer', schema: this.#schema } } : {}),
    };
  }

  read(text: string): Reading {
    let errors: readonly FieldError[] | undefined;
    for (const value of jsonValues(text)) {
      const found = isShallow(value)
        ? this.#check(value)
        : [{ path: '', message: 'it is nested too deeply' }];
      if (found.length === 0) return { ok: true, value };
      // The first one is the likeliest to be the answer.
      errors ??= found;
    }
    return { ok: false, wrong: errors ? describe(errors) : 'it is not JSON' };
  }
}

function describe(errors: readonly FieldError[]): string {
  const shown = errors
    .slice(0, MAX_ERRORS)
    .map(({ path, message }) => (path ? `${path}: ${message}` : message));
  const more = errors.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
