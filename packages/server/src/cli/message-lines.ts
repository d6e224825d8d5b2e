/** Messages and what happens in runs, as lines of a terminal. All of it is other people's text. */
import type { Json, Message, MessagePart } from '@llmgine/protocol';
import { plainLine, plainText } from './plain-text.ts';
import type { Style } from './style.ts';

/** Of arguments and results: who wants all of it exports the session. */
const MAX_JSON = 200;
/** Of one message of a history. */
const MAX_TEXT = 4000;

export function describeMessage({ role, parts }: Pick<Message, 'role' | 'parts'>, style: Style): string {
  const name = role === 'user' ? style('cyan', 'you') : style('green', role);
  const lines = parts.map((part) => describePart(part, style)).filter((line) => line !== '');
  return `${name}: ${lines.join('\n')}`;
}

export function callLine(name: string, args: Json, style: Style): string {
  return style('magenta', `→ ${plainLine(name, 100)} ${jsonLine(args)}`);
}

export function resultLine(name: string, result: Json, isError: boolean, style: Style, ms?: number): string {
  const time = ms === undefined ? '' : style('dim', ` (${Math.round(ms)} ms)`);
  return `${style(isError ? 'red' : 'magenta', `← ${plainLine(name, 100)} ${jsonLine(result)}`)}${time}`;
}

function describePart(part: MessagePart, style: Style): string {
  switch (part.type) {
    case 'text':
      return cut(plainText(part.text));
    case 'reasoning':
      return part.text === '' ? '' : style('dim', cut(plainText(part.text)));
    case 'tool_call':
      return callLine(part.tool_name, part.arguments, style);
    case 'tool_result':
      return resultLine(part.tool_name, part.result, part.is_error, style);
    case 'file':
      return style('dim', `[${plainLine(part.name ?? 'file', 100)}, ${plainLine(part.mime_type, 100)}]`);
  }
}

function jsonLine(value: Json): string {
  return plainLine(typeof value === 'string' ? value : JSON.stringify(value), MAX_JSON);
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
