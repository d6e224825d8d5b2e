/** How Zod schemas look in the API documents. */
import { jsonSchema as anyJson } from '@llmgine/protocol';
import { z } from 'zod';

export type JsonSchema = Record<string, unknown>;

/** Formats that say all that their pattern says, in a form that people can read. */
const SPEAKING_FORMATS: ReadonlySet<unknown> = new Set(['uuid', 'date-time']);

/** Leaves out what says nothing to a reader; for `override` of `z.toJSONSchema`. */
export function simplify({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: object }): void {
  const schema = jsonSchema as JsonSchema;
  if (zodSchema === anyJson) {
    for (const key of Object.keys(schema)) if (key !== 'description') delete schema[key];
    return;
  }
  // Answers grow by fields in later versions: readers must not refuse them.
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  // The names of JSON are texts, and its integers are safe ones.
  if (schema.propertyNames && JSON.stringify(schema.propertyNames) === '{"type":"string"}') {
    delete schema.propertyNames;
  }
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (SPEAKING_FORMATS.has(schema.format)) delete schema.pattern;
}

/**
 * Converts schemas for one document: those with an id become shared ones, in `schemas`, and are referred to. `direction`
 * is the server's: what it reads may leave out what has a default.
 */
export class SchemaCollector {
  readonly schemas: Record<string, JsonSchema> = {};

  convert(schema: z.ZodType, direction: 'input' | 'output'): JsonSchema {
    const { $schema, $defs, ...converted } = z.toJSONSchema(schema, {
      io: direction,
      unrepresentable: 'any',
      override: simplify,
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    const used = reachable(converted, $defs ?? {});
    const names = new Map(Object.keys(used).map((id) => [id, id]));
    for (const [id, definition] of Object.entries(used)) {
      const known = this.schemas[id];
      // One id, two shapes: what is read differs from what is written.
      if (known && JSON.stringify(known) !== JSON.stringify(rename(definition, names)))
        names.set(id, `${id}Input`);
    }
    for (const [id, definition] of Object.entries(used)) {
      this.schemas[names.get(id) as string] = rename(definition, names);
    }
    return rename(converted, names);
  }
}

const REFERENCE = /"#\/\$defs\/([^"]+)"/g;

/** The definitions that a schema refers to, directly or not. */
function reachable(schema: JsonSchema, definitions: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {};
  const waiting: JsonSchema[] = [schema];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const [, id] of JSON.stringify(next).matchAll(REFERENCE)) {
      const definition = definitions[id as string];
      if (!definition || Object.hasOwn(found, id as string)) continue;
      const { id: _, ...rest } = definition;
      found[id as string] = rest;
      waiting.push(rest);
    }
  }
  return found;
}

function rename(schema: JsonSchema, names: ReadonlyMap<string, string>): JsonSchema {
  const text = JSON.stringify(schema).replaceAll(
    REFERENCE,
    (_whole, id: string) => `"#/components/schemas/${names.get(id) ?? id}"`,
  );
  return JSON.parse(text) as JsonSchema;
}
