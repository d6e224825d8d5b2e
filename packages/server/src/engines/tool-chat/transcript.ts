/** A conversation as a text, for a model that is to write its summary. */
import type { Message, MessagePart } from '@llmgine/protocol';
import { fileNote } from '../../models/conversation.ts';
import { cutText } from '../../tools/cut-text.ts';

const SPEAKERS: Readonly<Record<Message['role'], string>> = {
  system: 'System',
  user: 'User',
  assistant: 'Assistant',
  tool: 'Tool',
};
/** Characters that stay at first of each text, and of each call or result; halved until all fits. */
const TEXT = 16_000;
const DETAIL = 2000;
const LEAST = 50;

/** In at most so many characters: long parts lose their ends first, and only then the conversation its beginning. */
export function transcript(messages: readonly Message[], length: number): string {
  for (let [text, detail] = [TEXT, DETAIL]; ; [text, detail] = [text / 2, detail / 2]) {
    const lines = messages.flatMap(({ role, parts }) =>
      parts.flatMap((part) => partLine(SPEAKERS[role], part, Math.floor(text), Math.floor(detail))),
    );
    const written = lines.join('\n');
    if (written.length <= length) return written;
    if (detail < LEAST) return ending(written, length);
  }
}

function partLine(speaker: string, part: MessagePart, text: number, detail: number): string[] {
  switch (part.type) {
    case 'text':
      return part.text.trim() === '' ? [] : [`${speaker}: ${cut(part.text, text)}`];
    case 'tool_call':
      return [`${speaker} called ${part.tool_name}: ${cut(JSON.stringify(part.arguments), detail)}`];
    case 'tool_result': {
      const result = typeof part.result === 'string' ? part.result : JSON.stringify(part.result);
      return [`${part.tool_name} ${part.is_error ? 'failed' : 'answered'}: ${cut(result, detail)}`];
    }
    case 'file':
      return [`${speaker}: ${cut(fileNote(part), detail)}`];
    case 'reasoning':
      return [];
  }
}

function ending(text: string, length: number): string {
  return text.slice(text.length - length).replace(/^[\udc00-\udfff]/, '');
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${cutText(text, length)} […]`;
}
