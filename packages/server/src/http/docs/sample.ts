/** What a value of a JSON Schema looks like, for people to copy. */
import type { JsonSchema } from '../json-schema.ts';

const MAX_DEPTH = 8;
const BY_FORMAT: Readonly<Record<string, string>> = {
  uuid: '7d444840-9dc0-41d1-b245-5ffdce74fad2',
  'date-time': '2026-01-01T12:00:00.000Z',
};

/** An example of the schema where it has one; else what it needs, and what has an example. */
export function sampleOf(schema: JsonSchema, shared: Readonly<Record<string, JsonSchema>>): unknown {
  return sample(schema, shared, 0);
}

function sample(schema: JsonSchema, shared: Readonly<Record<string, JsonSchema>>, depth: number): unknown {
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0];
  if ('const' in schema) return schema.const;
  if ('default' in schema) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const inner = (next: JsonSchema) => sample(next, shared, depth + 1);
  if (typeof schema.$ref === 'string') return inner(shared[schema.$ref.split('/').at(-1) ?? ''] ?? {});
  if (Array.isArray(schema.allOf)) return Object.assign({}, ...(schema.allOf as JsonSchema[]).map(inner));
  const [choice] = (schema.anyOf ?? schema.oneOf ?? []) as JsonSchema[];
  if (choice) return inner(choice);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object':
      return object(schema, inner);
    case 'array':
      return typeof schema.minItems === 'number' && schema.minItems > 0
        ? [inner(schema.items as JsonSchema)]
        : [];
    case 'string':
      return BY_FORMAT[String(schema.format)] ?? '…';
    case 'integer':
    case 'number':
      if (typeof schema.exclusiveMinimum === 'number') return schema.exclusiveMinimum + 1;
      return typeof schema.minimum === 'number' ? schema.minimum : 0;
    case 'boolean':
      return true;
    default:
      return null;
  }
}

function object(schema: JsonSchema, inner: (next: JsonSchema) => unknown): Record<string, unknown> {
  const required = (schema.required ?? []) as string[];
  const shown = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).filter(
    ([name, property]) => required.includes(name) || Array.isArray(property.examples),
  );
  return Object.fromEntries(shown.map(([name, property]) => [name, inner(property)]));
}
