/** Callers choose parts of log lines: none of it may look like another line, or steer the terminal that shows it. */

/**
 * What terminals, viewers and editors may act on, and JSON leaves as it is: DEL and the C1 controls, line separators, and
 * what changes the direction of text.
 */
const UNSEEN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant.
const CONTROLS = /[\u0000-\u0009\u000b-\u001f]/g;
const BREAKS = /\n/g;

/** The same line of JSON in which nothing is left that is more than text. */
export function printable(line: string): string {
  return line.replace(UNSEEN, escaped);
}

/**
 * The same line of JSON for a format that shows names and values as they are. A stack keeps its lines, which are shown
 * indented; everything else is one line.
 */
export function inert(line: string): string {
  return JSON.stringify(inertValue(JSON.parse(line)));
}

function inertValue(value: unknown, name?: string): unknown {
  if (typeof value === 'string') {
    const text = inertText(value);
    return name === 'stack' ? text : oneLine(text);
  }
  if (Array.isArray(value)) return value.map((item) => inertValue(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [oneLine(inertText(key)), inertValue(item, key)]),
  );
}

function inertText(text: string): string {
  return text.replace(CONTROLS, escaped).replace(UNSEEN, escaped);
}

function oneLine(text: string): string {
  return text.replace(BREAKS, '\\n');
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
