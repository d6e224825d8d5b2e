/** Requests of models in the form in which a recording keeps and compares them. */
import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '@llmgine/protocol';
import { createRedact, type Redact } from '../models/model-error.ts';
import type { ModelRequest } from '../models/types.ts';
import { canonicalJson } from '../sessions/canonical-json.ts';

const MAX_QUOTE = 120;

const redact = createRedact();

/** What looks like a credential is taken out: a recording is a file that people share. */
export function withoutCredentials<T>(value: T, take: Redact = redact): T {
  if (typeof value === 'string') return take(value) as T;
  if (Array.isArray(value)) return value.map((inner: unknown) => withoutCredentials(inner, take)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    withoutCredentials<unknown>(inner, take),
  ]);
  return Object.fromEntries(entries) as T;
}

/**
 * The settings and the conversation as JSON, without what is another one each time: of a message its role, its parts and
 * who wrote it, without its ids and times.
 */
export function comparable({ messages, ...settings }: ModelRequest): JsonObject {
  const turns = messages.map(({ role, parts, metadata }) => ({ role, parts, model: metadata?.model }));
  return withoutCredentials(JSON.parse(JSON.stringify({ ...settings, messages: turns })) as JsonObject);
}

export function digestOf(model: string, request: JsonObject): string {
  return createHash('sha256').update(canonicalJson({ model, request })).digest('hex');
}

/** The first thing in which two values differ, with its path; undefined when they do not. */
export function firstDifference(
  recorded: Json | undefined,
  now: Json | undefined,
  path = '',
): string | undefined {
  if (isContainer(recorded) && isContainer(now) && Array.isArray(recorded) === Array.isArray(now)) {
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(now)])) {
      const inner = Array.isArray(recorded) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      const found = firstDifference(childOf(recorded, key), childOf(now, key), inner);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return recorded === now ? undefined : `${path} was ${quote(recorded)} and is ${quote(now)}`;
}

function isContainer(value: Json | undefined): value is Json[] | JsonObject {
  return typeof value === 'object' && value !== null;
}

function childOf(value: Json[] | JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? (value as JsonObject)[key] : undefined;
}

function quote(value: Json | undefined): string {
  const text = value === undefined ? 'not there' : JSON.stringify(value);
  return text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text;
}
