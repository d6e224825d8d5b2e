/** The smallest value that fits a JSON Schema, for the schemas that people usually write. */
import type { Json, JsonObject } from '@llmgine/protocol';
import { isObject } from '../validation/is-object.ts';

/** A schema may refer to itself, and ask for many of what asks for many. */
const MAX_DEPTH = 20;
const MAX_VALUES = 2000;
const MAX_TEXT = 1000;

const FORMATS: ReadonlyMap<Json | undefined, string> = new Map([
  ['date', '2026-01-01'],
  ['time', '12:00:00Z'],
  ['date-time', '2026-01-01T12:00:00Z'],
  ['email', 'demo@example.com'],
  ['uri', 'https://example.com'],
  ['uuid', '00000000-0000-4000-8000-000000000000'],
]);

/** A text of it is `demo`, so that it says what it comes from. A `pattern` and other rare words are not met. */
export function smallestValue(schema: JsonObject): Json {
  return new Sampler(schema).sample(schema, 0);
}

class Sampler {
  readonly #root: JsonObject;
  #left = MAX_VALUES;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  sample(schema: Json | undefined, depth: number): Json {
    this.#left--;
    if (this.#left < 0 || depth > MAX_DEPTH || !isObject(schema)) return null;
    if (typeof schema.$ref === 'string') return this.sample(this.#refer(schema.$ref), depth + 1);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) return schema.enum[0] ?? null;
    const [alternative] = listOf(schema.anyOf ?? schema.oneOf);
    if (alternative !== undefined) return this.sample(alternative, depth + 1);
    switch (typeOf(schema)) {
      case 'string':
        return textOf(schema);
      case 'number':
      case 'integer':
        return numberOf(schema);
      case 'boolean':
        return false;
      case 'null':
        return null;
      case 'array':
        return this.#array(schema, depth + 1);
      default:
        return this.#object(schema, depth + 1);
    }
  }

  #object({ properties, required, allOf }: JsonObject, depth: number): JsonObject {
    const known = isObject(properties) ? properties : {};
    const names = listOf(required).slice(0, this.#left).map(String);
    const own = Object.fromEntries(names.map((name) => [name, this.sample(known[name], depth)]));
    const parts = listOf(allOf).map((part) => this.sample(part, depth));
    return Object.assign({}, ...parts.filter(isObject), own) as JsonObject;
  }

  #array({ prefixItems, minItems, items }: JsonObject, depth: number): Json[] {
    const first = listOf(prefixItems).map((item) => this.sample(item, depth));
    const missing = Math.min((numeric(minItems) ?? 0) - first.length, this.#left);
    return [...first, ...Array.from({ length: Math.max(missing, 0) }, () => this.sample(items, depth))];
  }

  /** Only inside the schema itself. */
  #refer(ref: string): Json | undefined {
    if (!ref.startsWith('#')) return undefined;
    let at: Json | undefined = this.#root;
    for (const key of ref.split('/').slice(1)) {
      const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
      at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }
    return at;
  }
}

function typeOf({ type, items }: JsonObject): Json | undefined {
  if (Array.isArray(type)) return type[0];
  return type ?? (items === undefined ? undefined : 'array');
}

function textOf({ format, minLength, maxLength }: JsonObject): string {
  const formatted = FORMATS.get(format);
  if (formatted !== undefined) return formatted;
  const length = Math.min(numeric(minLength) ?? 0, MAX_TEXT);
  return 'demo'.padEnd(length, '.').slice(0, numeric(maxLength) ?? MAX_TEXT);
}

/** 0 where that fits, else what is next to a limit. */
function numberOf(schema: JsonObject): number {
  const step = numeric(schema.multipleOf) ?? (typeOf(schema) === 'integer' ? 1 : undefined);
  const [above, from] = [numeric(schema.exclusiveMinimum), numeric(schema.minimum)];
  const [below, to] = [numeric(schema.exclusiveMaximum), numeric(schema.maximum)];
  const fits = (value: number) =>
    value >= (from ?? value) &&
    value <= (to ?? value) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below) &&
    (step === undefined || value % step === 0);
  const grid = step ?? 1;
  const candidates = [from, above, to, below]
    .filter((limit) => limit !== undefined)
    .flatMap((limit) => [limit, Math.ceil(limit / grid) * grid, Math.floor(limit / grid) * grid])
    .flatMap((value) => [value, value + grid, value - grid]);
  return [0, ...candidates].find(fits) ?? 0;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function numeric(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
