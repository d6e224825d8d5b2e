// biome-ignore lint/suspicious/noExplicitAny: schemas are read the way other programs read them.
type Schema = any;

/**
 * Paths in the value that the schema of an API document does not name. Where it takes any name, any is declared; of
 * alternatives, the best one counts.
 */
export function undeclared(value: unknown, schema: Schema, document: Schema, path = '$'): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const known = resolve(schema, document);
  const alternatives: Schema[] = known.anyOf ?? known.oneOf ?? [];
  if (alternatives.length > 0) {
    const findings = alternatives.map((one) => undeclared(value, one, document, path));
    return findings.toSorted((a, b) => a.length - b.length)[0] ?? [];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => undeclared(item, known.items ?? {}, document, `${path}[${index}]`));
  }
  const parts: Schema[] = [known, ...(known.allOf ?? []).map((part: Schema) => resolve(part, document))];
  const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {}));
  const isOpen = parts.some(
    ({ additionalProperties }) => additionalProperties !== undefined && additionalProperties !== false,
  );
  if (parts.every((part) => part.properties === undefined)) return isOpen || isAnything(known) ? [] : [path];
  return Object.entries(value).flatMap(([name, item]) => {
    if (Object.hasOwn(properties, name)) {
      return undeclared(item, properties[name], document, `${path}.${name}`);
    }
    return isOpen ? [] : [`${path}.${name}`];
  });
}

function resolve(schema: Schema, document: Schema): Schema {
  if (schema?.$ref === undefined) return schema ?? {};
  const steps: string[] = schema.$ref.slice(2).split('/');
  return resolve(
    steps.reduce((found, step) => found?.[step], document),
    document,
  );
}

/** A schema that says nothing of what it takes. */
function isAnything(schema: Schema): boolean {
  return schema.type === undefined && schema.not === undefined;
}
