/** What keeps a check in bounds: a small schema can ask for more steps than anybody has time for. */
import type { Json, JsonObject } from '@llmgine/protocol';
import { _, type Ajv2020 } from 'ajv/dist/2020.js';

/** Subschemas that are applied to one value, with all that is in it. */
const MAX_STEPS = 500_000;
const STEP = 'x-llmgine-step';

/** Keywords whose value is schemas by name. */
const MAPS = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
/** Keywords whose value is data. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'required', 'dependentRequired']);

/** Thrown out of a check that takes too long. */
export class TooManySteps extends Error {}

/** The schema with a step in each of its parts: references to references double with every level. */
export function stepped(schema: JsonObject): JsonObject {
  return {
    ...mapped(schema, (value, word) => (DATA.has(word) ? value : part(value, MAPS.has(word)))),
    [STEP]: true,
  };
}

function part(value: Json, isMap: boolean): Json {
  if (Array.isArray(value)) return value.map((one) => part(one, false));
  if (typeof value !== 'object' || value === null) return value;
  return isMap ? mapped(value, (one) => part(one, false)) : stepped(value);
}

function mapped(object: JsonObject, change: (value: Json, key: string) => Json): JsonObject {
  // Not by assignment: a property may be called `__proto__`.
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, change(value, key)]],
    ),
  );
}

/** Makes a compiler count; returns what starts the count anew. */
export function countSteps(ajv: Ajv2020): () => void {
  let steps = 0;
  const step = () => {
    if (++steps > MAX_STEPS) throw new TooManySteps();
  };
  ajv.addKeyword({
    keyword: STEP,
    code: ({ gen }) => void gen.code(_`${gen.scopeValue('func', { ref: step })}()`),
  });
  // Its own compares each item with each other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    validate: (isWanted: boolean, items: readonly Json[]) =>
      !isWanted || new Set(items.map((item) => JSON.stringify(sorted(item)))).size === items.length,
  });
  return () => {
    steps = 0;
  };
}

/** The same for what is equal, in whatever order its fields came. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.keys(value).sort();
  return { fields: fields.map((name) => [name, sorted(value[name] ?? null)]) };
}
