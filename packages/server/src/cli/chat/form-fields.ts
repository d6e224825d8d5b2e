/** What a form asks for, field by field, and what somebody typed as the value that its schema wants. */
import type { Json, JsonObject } from '@llmgine/protocol';

const KINDS = ['string', 'number', 'integer', 'boolean'] as const;
type Kind = (typeof KINDS)[number] | 'json';

export interface FormField {
  readonly name: string;
  readonly description: string | null;
  readonly kind: Kind;
  readonly required: boolean;
  /** Null: anything. */
  readonly choices: readonly Json[] | null;
  readonly fallback: Json | undefined;
}

/** The fields of an object; null when the schema is of something else. */
export function formFields(schema: JsonObject | null): readonly FormField[] | null {
  const properties = objectOf(schema?.properties);
  if (!schema || !properties) return null;
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(properties).map(([name, property]) =>
    fieldOf(name, objectOf(property) ?? {}, required.includes(name)),
  );
}

/** The whole value as one field. */
export function singleField(schema: JsonObject | null): FormField {
  return fieldOf('value', schema ?? {}, true);
}

/** `undefined`: it was left out. A string that begins with a question to people is what is wrong. */
export function readField(
  field: FormField,
  typed: string,
): { readonly value: Json | undefined } | { readonly wrong: string } {
  const text = typed.trim();
  if (text === '') {
    if (field.fallback !== undefined) return { value: field.fallback };
    return field.required ? { wrong: 'it is needed' } : { value: undefined };
  }
  if (field.choices) return readChoice(field.choices, text);
  switch (field.kind) {
    case 'string':
      return { value: text };
    case 'number':
    case 'integer':
      return readNumber(field.kind, text);
    case 'boolean':
      return readTruth(text);
    case 'json':
      return readJson(text);
  }
}

function fieldOf(name: string, schema: JsonObject, required: boolean): FormField {
  const kind = KINDS.find((known) => known === schema.type) ?? 'json';
  const { enum: choices, description, default: fallback } = schema;
  return {
    name,
    description: typeof description === 'string' ? description : null,
    kind,
    required,
    choices: Array.isArray(choices) ? choices : null,
    fallback,
  };
}

function readChoice(choices: readonly Json[], text: string): { value: Json } | { wrong: string } {
  const exact = choices.find((choice) => String(choice) === text);
  const value = exact ?? choices[Number(text) - 1];
  return value === undefined ? { wrong: `it is one of 1 to ${choices.length}` } : { value };
}

function readNumber(kind: 'number' | 'integer', text: string): { value: Json } | { wrong: string } {
  const value = Number(text);
  const fits = kind === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  return fits ? { value } : { wrong: kind === 'integer' ? 'it is a whole number' : 'it is a number' };
}

function readTruth(text: string): { value: Json } | { wrong: string } {
  if (/^(?:y|yes|true)$/i.test(text)) return { value: true };
  return /^(?:n|no|false)$/i.test(text) ? { value: false } : { wrong: 'it is y or n' };
}

function readJson(text: string): { value: Json } | { wrong: string } {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return { wrong: 'it is JSON, for example ["a", "b"]' };
  }
}

function objectOf(value: Json | undefined): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
}
