/** JSON in what a model says: it may have put it into a code fence, or talk before and after it. */
import type { Json } from '@llmgine/protocol';

const FENCE = /```[a-z0-9]*[ \t]*\r?\n([\s\S]*?)```/gi;
/** Places in the text where JSON may begin; each costs a pass over the rest of it. */
const MAX_PLACES = 20;
/** Characters of an answer in which JSON is looked for; a longer one has to be nothing else. */
const MAX_LENGTH = 1_000_000;

/** The values that the text may mean, the likeliest first; none when there is no JSON in it. */
export function* jsonValues(text: string): Generator<Json> {
  const whole = parse(text);
  if (whole !== undefined) {
    yield whole;
    return;
  }
  if (text.length > MAX_LENGTH) return;
  for (const [, inside = ''] of text.matchAll(FENCE)) {
    const value = parse(inside);
    if (value !== undefined) yield value;
  }
  let at = 0;
  for (let place = 0; place < MAX_PLACES; place++) {
    const begin = text.slice(at).search(/[{[]/);
    if (begin === -1) return;
    at += begin;
    const end = endOf(text, at);
    const value = end === undefined ? undefined : parse(text.slice(at, end));
    if (value === undefined) at++;
    else {
      yield value;
      at = end ?? text.length;
    }
  }
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Where the brackets that open here are closed again. */
function endOf(text: string, begin: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let at = begin; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}
