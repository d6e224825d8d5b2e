/** What a form has to ask for so that its value fits a JSON Schema: the part of the language that people fill in. */
export type Schema = Readonly<Record<string, unknown>>;

export const FIELD_KINDS = ['text', 'number', 'boolean', 'choice', 'list', 'json'] as const;
export type FieldKind = (typeof FIELD_KINDS)[number];

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly label: string;
  readonly description: string | undefined;
  readonly isRequired: boolean;
  readonly isWhole: boolean;
  readonly isLong: boolean;
  readonly choices: readonly string[];
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  /** What holds when nothing is filled in. */
  readonly fallback: unknown;
}

/** What was typed: texts as they are, so that nothing is lost while it is not right yet. */
export type Draft = Readonly<Record<string, string | readonly string[]>>;

export interface Filled {
  readonly value: Record<string, unknown>;
  readonly errors: Readonly<Record<string, string>>;
}

const LONG = 300;

export function fieldsOf(schema: Schema): readonly Field[] {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(properties).map(([name, property]) =>
    fieldOf(name, resolve(property, schema), required.includes(name)),
  );
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): Field {
  const choices = Array.isArray(schema.enum) ? schema.enum.filter((one) => typeof one === 'string') : [];
  return {
    name,
    kind: kindOf(schema, choices.length > 0),
    label: typeof schema.title === 'string' ? schema.title : words(name),
    description: typeof schema.description === 'string' ? schema.description : undefined,
    isRequired: isRequired && schema.default === undefined,
    isWhole: schema.type === 'integer',
    isLong:
      typeof schema.maxLength === 'number' && schema.maxLength > LONG && /prompt|text|content/.test(name),
    choices,
    minimum: numberOf(schema.minimum),
    maximum: numberOf(schema.maximum),
    fallback: schema.default,
  };
}

function kindOf(schema: Schema, hasChoices: boolean): FieldKind {
  if (hasChoices) return 'choice';
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return isObject(schema.items) && schema.items.type === 'string' ? 'list' : 'json';
    default:
      return 'json';
  }
}

/** The draft that stands for a value. */
export function draftOf(fields: readonly Field[], value: Readonly<Record<string, unknown>>): Draft {
  const draft: Record<string, string | readonly string[]> = {};
  for (const { name, kind } of fields) {
    const given = value[name];
    if (given === undefined || given === null) continue;
    if (kind === 'list') draft[name] = Array.isArray(given) ? given.map(String) : [];
    else if (kind === 'json') draft[name] = JSON.stringify(given, null, 2);
    else draft[name] = String(given);
  }
  return draft;
}

/** The value of a draft; what is empty is left out. */
export function readDraft(fields: readonly Field[], draft: Draft): Filled {
  const value: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const typed = draft[field.name];
    if (typed === undefined || typed.length === 0) {
      if (field.isRequired) errors[field.name] = 'This is needed';
      continue;
    }
    const read = readField(field, typed);
    if (read.error !== undefined) errors[field.name] = read.error;
    else value[field.name] = read.value;
  }
  return { value, errors };
}

function readField(
  { kind, isWhole }: Field,
  typed: string | readonly string[],
): { readonly value?: unknown; readonly error?: string } {
  if (typeof typed !== 'string') return { value: typed };
  switch (kind) {
    case 'number': {
      const value = Number(typed);
      if (!Number.isFinite(value)) return { error: 'This has to be a number' };
      return isWhole && !Number.isInteger(value) ? { error: 'This has to be a whole number' } : { value };
    }
    case 'boolean':
      return { value: typed === 'true' };
    case 'json':
      try {
        return { value: JSON.parse(typed) };
      } catch {
        return { error: 'This is not valid JSON' };
      }
    default:
      return { value: typed };
  }
}

/** Follows a reference inside the document, and takes the one alternative that is not null. */
function resolve(property: unknown, root: Schema, depth = 0): Schema {
  if (!isObject(property) || depth > 8) return {};
  if (typeof property.$ref === 'string' && property.$ref.startsWith('#/')) {
    let found: unknown = root;
    for (const step of property.$ref.slice(2).split('/')) found = isObject(found) ? found[step] : undefined;
    return { ...resolve(found, root, depth + 1), ...without(property, '$ref') };
  }
  const alternatives = Array.isArray(property.anyOf) ? property.anyOf : [];
  const real = alternatives.filter((one) => isObject(one) && one.type !== 'null');
  if (real.length === 1) return { ...resolve(real[0], root, depth + 1), ...without(property, 'anyOf') };
  if (typeof property.const === 'string') return { ...property, enum: [property.const] };
  return property;
}

function without(schema: Schema, name: string): Schema {
  const { [name]: _, ...rest } = schema;
  return rest;
}

function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function numberOf(value: unknown): number | undefined {
  // Of an integer without bounds of its own; nobody has to read them.
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
