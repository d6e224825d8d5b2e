/** "ask me for my name and my age", as what `ask_user` takes: a question, and the fields of the form. */
import type { JsonObject } from '@llmgine/protocol';

const WINDOW = 1000;
const MAX_FIELDS = 20;
const MAX_LABEL = 100;

/** At the beginning of a sentence or after a word that gives an order: who tells that they were asked gives none. */
const ORDER =
  /(?:^|[,;:.!?\n]|\b(?:please|and|first|now|you(?: to)?)) ?(?:also |please )?ask (?:me|my|for|the user)\b(?! anything)/i;
/** Where the next order begins. */
const END = /[.;!\n]|,? and (?:what|how much|tell|call|use|calculate|add)\b/i;
const YES_OR_NO = /^(?:whether|if|to (?:confirm|agree|approve))\b/i;
const NUMBER = /\b(?:age|number|amount|count|year|size|weight|height|price|budget)\b/i;

export interface Question {
  readonly arguments: JsonObject;
  /** The prompt without the order to ask. */
  readonly rest: string;
}

export function findQuestion(prompt: string): Question | undefined {
  const text = prompt.slice(0, WINDOW);
  const match = ORDER.exec(text);
  if (!match) return undefined;
  const start = match.index + match[0].toLowerCase().lastIndexOf('ask');
  const order = text.slice(start);
  const end = order.search(END);
  const body = (end === -1 ? order : order.slice(0, end))
    .replace(/^ask(?: me| the user)? ?/i, '')
    .replace(/\s+/g, ' ')
    .replace(/[? ]+$/, '');
  const rest = `${text.slice(0, start)} ${end === -1 ? '' : order.slice(end)}`;
  return { arguments: toForm(body), rest };
}

function toForm(body: string): JsonObject {
  const list = /^(?:(?:for|about) |(?=my ))(.+)$/is.exec(body)?.[1];
  if (list !== undefined) {
    const fields = fieldsOf(list);
    return { question: `Please tell me ${flip(list)}.`, ...(fields.length === 0 ? {} : { fields }) };
  }
  const question = body.startsWith('to ')
    ? `Do you ${flip(body.slice(3))}?`
    : `Please tell me ${flip(body)}.`;
  if (YES_OR_NO.test(body)) return { question, fields: [{ name: 'yes', label: 'Yes', type: 'boolean' }] };
  return { question: body === '' ? 'What do you want to tell me?' : question };
}

/** `my name, my age and my colour (red or blue)`: a field for each. */
function fieldsOf(list: string): JsonObject[] {
  const fields = new Map<string, JsonObject>();
  for (const [item] of list.matchAll(/(?:\([^)]*\)|(?!,| and )[^(])+/gi)) {
    const [, label = '', choices] = /^(?:and )?([^(]*)(?:\(([^)]*)\))?$/i.exec(item.trim()) ?? [];
    const words = label
      .trim()
      .replace(/^(?:my|the|an?|your) /i, '')
      .slice(0, MAX_LABEL);
    if (words === '' || fields.size === MAX_FIELDS) continue;
    const name = nameOf(words, fields.size + 1);
    fields.set(name, { name, label: words, ...typeOf(words, choices) });
  }
  return [...fields.values()];
}

function typeOf(label: string, choices: string | undefined): JsonObject {
  const options = [...new Set(choices?.split(/,| or /i).map((one) => one.trim()))].filter(
    (one) => one !== '',
  );
  if (options.length > 1) return { type: 'choice', options };
  return { type: NUMBER.test(label) ? 'number' : 'text' };
}

function nameOf(label: string, n: number): string {
  const name = label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+|_+$/g, '')
    .slice(0, 40);
  return name === '' ? `field_${n}` : name;
}

/** Who asks speaks to the person who has ordered it. */
function flip(text: string): string {
  const words: Readonly<Record<string, string>> = {
    my: 'your',
    mine: 'yours',
    i: 'you',
    am: 'are',
    me: 'you',
  };
  return text.replace(/\b(?:my|mine|i|am|me)\b/gi, (word) => words[word.toLowerCase()] ?? word);
}
