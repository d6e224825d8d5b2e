/** Tidies what is generated: shared schemas come twice, bodies are never optional, and answers have no words. */
import { STATUS_CODES } from 'node:http';

type Schemas = Record<string, unknown>;
interface Body {
  required?: boolean;
  content?: Record<string, { schema?: { anyOf?: { type?: string }[] } }>;
}
interface Operation {
  requestBody?: Body;
  responses?: Record<string, { description?: string }>;
}
interface Document {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Schemas };
}

const PREFIX = '#/components/schemas/';
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;
const INPUT = 'Input';
const NO_WORDS = 'Default Response';

/** Works on plain JSON, so what comes out is as wide as what comes in. */
export function tidyDocument<T extends object>(document: T): T {
  const tidied = dropUnused(mergeInputs(document as Document));
  for (const operations of Object.values(tidied.paths ?? {})) {
    for (const operation of Object.values(operations)) {
      relaxBody(operation.requestBody);
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        if (response.description === NO_WORDS) response.description = STATUS_CODES[status] ?? status;
      }
    }
  }
  return tidied as T;
}

/** A body that may be missing is generated as one that may be `null`. */
function relaxBody(body: Body | undefined): void {
  for (const media of Object.values(body?.content ?? {})) {
    const choices = media.schema?.anyOf;
    if (!body || choices?.length !== 2 || choices[1]?.type !== 'null') continue;
    media.schema = choices[0] as object;
    body.required = false;
  }
}

function references(value: unknown): string[] {
  return [...JSON.stringify(value ?? null).matchAll(REFERENCE)].map((match) => match[1] as string);
}

/** The JSON text of a value in which references to these schemas have new names. */
function renamed(value: unknown, names: ReadonlyMap<string, string>): string {
  return JSON.stringify(value).replaceAll(REFERENCE, (whole, id: string) => {
    const name = names.get(id);
    return name === undefined ? whole : JSON.stringify(PREFIX + name);
  });
}

/** `XInput` is `X` where the two say the same, which is wherever no default or coercion makes a difference. */
function mergeInputs(document: Document): Document {
  const schemas = document.components?.schemas ?? {};
  const inputs = Object.keys(schemas).filter(
    (id) => id.endsWith(INPUT) && id.slice(0, -INPUT.length) in schemas,
  );
  const same = new Map(inputs.map((id) => [id, id.slice(0, -INPUT.length)]));
  // Each that turns out to differ can make others differ that refer to it.
  for (let changed = true; changed; ) {
    changed = false;
    for (const [input, base] of same) {
      if (renamed(schemas[input], same) === renamed(schemas[base], same)) continue;
      same.delete(input);
      changed = true;
    }
  }
  return JSON.parse(renamed(document, same)) as Document;
}

/** Leaves out what nothing refers to; an input whose counterpart is left out takes its name. */
function dropUnused(document: Document): Document {
  const schemas = document.components?.schemas ?? {};
  const used = new Set<string>();
  const waiting = references(document.paths);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (used.has(id)) continue;
    used.add(id);
    waiting.push(...references(schemas[id]));
  }
  const names = new Map<string, string>();
  for (const id of used) {
    const base = id.endsWith(INPUT) ? id.slice(0, -INPUT.length) : id;
    if (base !== id && base in schemas && !used.has(base)) names.set(id, base);
  }
  const kept = [...used].map((id): [string, unknown] => [names.get(id) ?? id, schemas[id]]);
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  const text = renamed(
    { ...document, components: { ...document.components, schemas: Object.fromEntries(kept) } },
    names,
  );
  return JSON.parse(text) as Document;
}
