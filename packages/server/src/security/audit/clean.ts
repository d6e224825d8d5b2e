/** What comes from callers, made harmless for logs, terminals and exports, and bounded. */
import type { Json, JsonObject } from '@llmgine/protocol';

/** Characters of one text. */
const MAX_TEXT = 200;
/** Entries of one object or array, and how deep they may be in each other. */
const MAX_ENTRIES = 20;
const MAX_LEVELS = 4;
/** Characters of all details as JSON. */
const MAX_DETAILS = 4000;
/** Line breaks, escape sequences of terminals, and what turns the direction of text: they could show what is not there. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const SECRET_NAME =
  /secret|password|passphrase|token|authorization|cookie|credential$|api[-_]?key|^key$|signature/i;
const BEARER = /\b(bearer|basic) +[^\s,;"]+/gi;
const HIDDEN = '[hidden]';

/** Takes out of a text the secrets that the server knows. */
export type Redact = (text: string) => string;

/** One line of text in which every character can be seen; what cannot is written as `\u{1b}`. */
export function cleanText(text: string, redact: Redact = (one) => one, max = MAX_TEXT): string {
  // First what is secret: half of it would not be found any more.
  const safe = redact(text.slice(0, 10 * max)).replace(BEARER, `$1 ${HIDDEN}`);
  const visible = safe
    .slice(0, max)
    .toWellFormed()
    .replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return safe.length > max ? `${visible}…` : visible;
}

export function cleanDetails(details: JsonObject, redact: Redact): JsonObject {
  const clean = cleanObject(details, redact, MAX_LEVELS);
  return JSON.stringify(clean).length > MAX_DETAILS ? { cut: true } : clean;
}

function cleanObject(value: JsonObject, redact: Redact, levels: number): JsonObject {
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .slice(0, MAX_ENTRIES)
    .map(([name, inner]) => {
      const shown = SECRET_NAME.test(name) && typeof inner === 'string' ? HIDDEN : inner;
      return [cleanText(name, redact), cleanJson(shown, redact, levels - 1)];
    });
  return Object.fromEntries(entries) as JsonObject;
}

function cleanJson(value: Json, redact: Redact, levels: number): Json {
  if (typeof value === 'string') return cleanText(value, redact);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'boolean' || value === null) return value;
  if (levels === 0) return '…';
  if (Array.isArray(value))
    return value.slice(0, MAX_ENTRIES).map((inner) => cleanJson(inner, redact, levels - 1));
  return typeof value === 'object' ? cleanObject(value, redact, levels) : String(value);
}
