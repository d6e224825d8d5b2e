/** What the demo model understands of a prompt. Only the beginning of a long one is looked at. */
import type { Json } from '@llmgine/protocol';

const WINDOW = 2000;
const MAX_WORDS = 5000;

const SPOKEN: readonly (readonly [RegExp, string])[] = [
  [/ plus /gi, ' + '],
  [/ minus /gi, ' - '],
  [/ times |×/gi, ' * '],
  [/ divided by |÷/gi, ' / '],
];

/** The first arithmetic expression, for example `2 * (3+4)`. Dates are none. */
export function findArithmetic(prompt: string): string | undefined {
  let text = prompt.slice(0, WINDOW).replace(/\d{4}-\d\d?-\d\d?/g, ' ; ');
  for (const [words, operator] of SPOKEN) text = text.replace(words, operator);
  for (const [candidate] of text.matchAll(/-?[\d(][\d\s+\-*/^%().]*/g)) {
    const expression = balance(candidate.replace(/[\s.(+\-*/^]+$/, ''));
    if (/\d\s?\)*\s?[+\-*/^%]\s?\(*\s?[-+]?[\d.(]/.test(expression)) return expression;
  }
  return undefined;
}

/** Without the parentheses that belong to the sentence around it. */
function balance(expression: string): string {
  const open = expression.split('(').length;
  const close = expression.split(')').length;
  if (close > open) return expression.slice(0, expression.lastIndexOf(')'));
  return open > close ? expression.slice(expression.indexOf('(') + 1) : expression;
}

export function findTimeQuestion(prompt: string): boolean {
  const text = prompt.slice(0, WINDOW);
  return /\b(?:what|which|current|tell|now)\b/i.test(text) && /\b(?:time|date|day|today)\b/i.test(text);
}

/** An IANA name such as `Europe/Berlin`. */
export function findTimeZone(prompt: string): string | undefined {
  return /\b(?:[A-Z][A-Za-z]{1,20}\/[A-Z][A-Za-z_]{1,30}|UTC)\b/.exec(prompt.slice(0, WINDOW))?.[0];
}

/** The parts of a prompt that are to be done one after the other: "this, then that". */
export function splitSteps(prompt: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  for (const match of prompt.slice(0, WINDOW).matchAll(/[,;.]?\s{1,9}(?:and )?then,?\s/gi)) {
    if (isInsideJson(prompt, start, match.index)) continue;
    parts.push(prompt.slice(start, match.index));
    start = match.index + match[0].length;
  }
  return [...parts, prompt.slice(start)];
}

/** In the JSON of a call, words are just its text. */
function isInsideJson(prompt: string, start: number, at: number): boolean {
  const before = prompt.slice(start, at);
  return before.split('{').length > before.split('}').length;
}

/** `call NAME {"some": "arguments"}`, where there is such a tool; without arguments they are undefined. */
export function findInvocations(
  prompt: string,
  tools: readonly string[],
): readonly { readonly name: string; readonly arguments: Json | undefined }[] {
  const matches = [
    ...prompt.slice(0, WINDOW).matchAll(/\b(?:call|use|run|and) (?:the tool )?([\w-]{1,64})/gi),
  ].filter((match) => tools.includes(match[1] ?? '') && !isInsideJson(prompt, 0, match.index));
  // "and" goes on with what another word has begun.
  if (/^and/i.test(matches[0]?.[0] ?? '')) matches.shift();
  return matches.map((match, n) => {
    const rest = prompt.slice(match.index + match[0].length, matches[n + 1]?.index);
    const json = rest.slice(Math.max(rest.indexOf('{'), 0), rest.lastIndexOf('}') + 1);
    return { name: match[1] ?? '', arguments: parseJson(json) };
  });
}

function parseJson(json: string): Json | undefined {
  try {
    return JSON.parse(json) as Json;
  } catch {
    return undefined;
  }
}

/** `write 300 words`: how many, for whoever needs a long answer. */
export function findWordCount(prompt: string): number | undefined {
  const match = /\b(\d{1,6}) words\b/i.exec(prompt.slice(0, WINDOW));
  return match ? Math.min(Number(match[1]), MAX_WORDS) : undefined;
}

/** What to translate, and into which language: asked for in the prompt itself, or by the system for every prompt. */
export function findTranslation(
  system: string,
  prompt: string,
): { readonly language: string; readonly text: string } | undefined {
  const inPrompt = translationIn(prompt);
  if (inPrompt) return inPrompt;
  const bySystem = translationIn(system);
  return bySystem && { language: bySystem.language, text: prompt.trim() };
}

function translationIn(whole: string): { language: string; text: string } | undefined {
  const start = whole.slice(0, WINDOW).search(/\btranslat(?:e|ion|or)\b/i);
  if (start === -1) return undefined;
  const text = whole.slice(start);
  // The order ends where the text to translate begins: after a colon or on a new line.
  const end = text.slice(0, WINDOW).search(/[:\n]/);
  const order = end === -1 ? text.slice(0, WINDOW) : text.slice(0, end);
  const targets = [...order.matchAll(/\b(?:in)?to (\p{L}{2,30})/giu)];
  const target = targets.findLast((match) => /^\p{Lu}/u.test(match[1] ?? '')) ?? targets[0];
  if (target?.[1] === undefined) return undefined;
  const after = end === -1 ? '' : text.slice(end + 1).trim();
  const between = order
    .slice(0, target.index)
    .replace(/^\w+\s/, '')
    .trim()
    .replace(/^["'“]|["'”]$/g, '');
  return { language: target[1], text: after === '' ? between : after };
}
