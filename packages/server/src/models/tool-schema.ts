import type { Json, JsonObject } from '@llmgine/protocol';
import { isObject } from '../validation/is-object.ts';

/**
 * What a model reads of a tool's arguments, in the form that every provider takes: an object with properties. Providers
 * refuse a choice (`oneOf` and the like) at the top of a schema, and with it the whole request, whatever it is about; here
 * its properties are all there, and what fits together is for whoever checks the call.
 */
export function toolSchema(parameters: JsonObject): JsonObject {
  const { oneOf, anyOf, allOf, not, enum: values, ...rest } = parameters;
  const isPlain = [oneOf, anyOf, allOf, not, values].every((word) => word === undefined);
  if (isPlain && isObject(rest.properties) && rest.type === 'object') return parameters;
  const branches = [oneOf, anyOf, allOf].flatMap((branch) => (Array.isArray(branch) ? branch : []));
  return { ...rest, type: 'object', properties: propertiesOf([parameters, ...branches]) };
}

/** By name; one that differs between the branches may be any of them. */
function propertiesOf(branches: readonly Json[]): JsonObject {
  const found = new Map<string, Map<string, Json>>();
  for (const branch of branches) {
    const properties = isObject(branch) && isObject(branch.properties) ? branch.properties : {};
    for (const [name, schema] of Object.entries(properties)) {
      if (schema === undefined) continue;
      const schemas = found.get(name) ?? new Map<string, Json>();
      found.set(name, schemas.set(JSON.stringify(schema), schema));
    }
  }
  return Object.fromEntries(
    [...found].map(([name, schemas]) => {
      const [first = true, ...others] = schemas.values();
      return [name, others.length === 0 ? first : { anyOf: [first, ...others] }];
    }),
  );
}
