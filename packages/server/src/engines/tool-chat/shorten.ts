/** Makes a turn smaller that does not fit by itself. Its calls and results stay, so every provider takes it. */
import type { Message, MessagePart } from '@llmgine/protocol';
import { messageTokens } from '../../models/token-estimate.ts';
import { cutText } from '../../tools/cut-text.ts';
import { sum } from './window.ts';

/** Characters that stay of a result. */
const KEPT = 200;
/** Of the note, and of what JSON adds to a text. */
const EXTRA = 100;
/** As the estimate has it. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * Shortens results of tools, the oldest first, until the messages fit into the room; those of the last step only as much
 * as is needed. When that is not enough, they stay too large.
 */
export function shortenResults(
  messages: readonly Message[],
  room: number,
  tokensOf: (message: Message) => number = messageTokens,
): readonly Message[] {
  let excess = sum(messages, tokensOf) - room;
  if (excess <= 0) return messages;
  const result = [...messages];
  const newest = messages.findLastIndex(({ role }) => role === 'tool');
  const replace = (index: number, message: Message, kept: number) => {
    const shorter = { ...message, parts: message.parts.map((part) => shorten(part, kept)) };
    excess -= tokensOf(result[index] ?? message) - messageTokens(shorter);
    result[index] = shorter;
  };
  for (const [index, message] of messages.entries()) {
    if (excess <= 0) break;
    if (message.role !== 'tool') continue;
    if (index === newest) {
      const left = tokensOf(message) - excess;
      const share = Math.floor((left * CHARACTERS_PER_TOKEN) / message.parts.length) - EXTRA;
      replace(index, message, Math.max(share, KEPT));
    }
    // Quotes and line ends of a text count twice, so the share may still have been too large.
    if (excess > 0) replace(index, message, KEPT);
  }
  return result;
}

function shorten(part: MessagePart, kept: number): MessagePart {
  if (part.type !== 'tool_result') return part;
  const text = typeof part.result === 'string' ? part.result : JSON.stringify(part.result);
  if (text.length <= kept + EXTRA) return part;
  return { ...part, result: `${cutText(text, kept)}\n[shortened: it had ${text.length} characters]` };
}
