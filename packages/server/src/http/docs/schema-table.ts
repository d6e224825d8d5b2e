/** JSON Schemas as tables that people read. */
import type { JsonSchema } from '../json-schema.ts';
import { type Html, html, prose } from './html.ts';

const PREFIX = '#/components/schemas/';
const MAX_DEPTH = 3;

export function schemaAnchor(id: string): string {
  return `schema-${id}`;
}

/** The fields of an object, or what the value is. */
export function schemaTable(schema: JsonSchema): Html {
  const rows = fields(schema, '', 0);
  if (rows.length === 0) {
    const type = typeOf(schema);
    return type.text === 'object' ? html`<p class="none">No fields.</p>` : html`<p>${type}</p>`;
  }
  return html`<table class="fields"><tbody>${rows}</tbody></table>`;
}

function fields(schema: JsonSchema, path: string, depth: number): Html[] {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  const required = (schema.required ?? []) as string[];
  return Object.entries(properties).flatMap(([name, property]) => {
    const full = `${path}${name}`;
    const row = html`<tr><td><code>${full}</code>${required.includes(name) ? '' : html` <small>optional</small>`}</td><td>${typeOf(property)}</td><td>${notes(property)}</td></tr>`;
    const items = property.type === 'array' ? (property.items as JsonSchema | undefined) : undefined;
    const inner =
      depth < MAX_DEPTH ? fields(items ?? property, `${full}${items ? '[]' : ''}.`, depth + 1) : [];
    return [row, ...inner];
  });
}

/** What a value is, in one line. */
function typeOf(schema: JsonSchema): Html {
  const reference = schema.$ref;
  if (typeof reference === 'string') {
    const id = reference.slice(PREFIX.length);
    return html`<a href="#${schemaAnchor(id)}">${id}</a>`;
  }
  if ('const' in schema) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (Array.isArray(schema.enum)) {
    return join(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`));
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return join((choices as JsonSchema[]).map(typeOf));
  if (Array.isArray(schema.allOf)) return join((schema.allOf as JsonSchema[]).map(typeOf), ' and ');
  if (schema.type === 'array') return html`list of ${typeOf((schema.items ?? {}) as JsonSchema)}`;
  if (Array.isArray(schema.type)) return html`${schema.type.join(' or ')}`;
  return html`${typeof schema.type === 'string' ? schema.type : 'any JSON'}`;
}

function join(parts: readonly Html[], word = ' or '): Html {
  return html`${parts.flatMap((part, i) => (i === 0 ? [part] : [word, part]))}`;
}

function notes(schema: JsonSchema): Html {
  const parts: Html[] = [];
  if (typeof schema.description === 'string') parts.push(prose(schema.description));
  if (typeof schema.format === 'string') parts.push(html`format ${schema.format}`);
  for (const [low, high, unit] of RANGES) {
    const text = range(schema[low], schema[high], unit);
    if (text) parts.push(html`${text}`);
  }
  if (typeof schema.exclusiveMinimum === 'number') parts.push(html`more than ${schema.exclusiveMinimum}`);
  if (typeof schema.pattern === 'string') parts.push(html`matches <code>${schema.pattern}</code>`);
  if ('default' in schema) parts.push(html`default <code>${JSON.stringify(schema.default)}</code>`);
  return join(parts, ' · ');
}

const RANGES = [
  ['minLength', 'maxLength', ' characters'],
  ['minimum', 'maximum', ''],
  ['minItems', 'maxItems', ' entries'],
] as const;

function range(low: unknown, high: unknown, unit: string): string | undefined {
  if (typeof low === 'number' && typeof high === 'number') return `${low} to ${high}${unit}`;
  if (typeof low === 'number') return `at least ${low}${unit}`;
  if (typeof high === 'number') return `at most ${high}${unit}`;
  return undefined;
}
