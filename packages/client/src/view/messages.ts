/** A list of messages: each once, those of a run together. */
import { appendText, type Message, type MessagePart } from '@llmgine/protocol/wire';
import { toolCallsOf, withResults } from './tool-calls.ts';
import type { ViewMessage } from './types.ts';

type Messages = readonly ViewMessage[];

export function toViewMessage(message: Message, streaming: boolean): ViewMessage {
  return { ...message, streaming, tool_calls: toolCallsOf(message) };
}

/**
 * Puts a message behind the others of its run, or at the end; one that is there already is replaced. A prompt that waits
 * for its turn is in the log before the answer to the one before it, and is shown behind it.
 */
export function place(messages: Messages, message: ViewMessage): Messages {
  const known = findById(messages, message.message_id);
  const others = known < 0 ? messages : messages.toSpliced(known, 1);
  let at = others.length;
  if (message.run_id !== null) {
    const last = others.findLastIndex(({ run_id }) => run_id === message.run_id);
    if (last >= 0) at = last + 1;
    // What is whole stays in the order of the log, and that is before what still grows.
    if (!message.streaming) {
      while (at > 0 && others[at - 1]?.streaming && others[at - 1]?.run_id === message.run_id) at--;
    }
  }
  return others.toSpliced(at, 0, message);
}

/** Messages in the order of the log, as `place` would have put them one after another. */
export function arrange(messages: Messages): Messages {
  const groups = new Map<string, ViewMessage[]>();
  for (const message of messages) {
    const group = message.run_id ?? message.message_id;
    const members = groups.get(group);
    if (members) members.push(message);
    else groups.set(group, [message]);
  }
  return withResults([...groups.values()].flat());
}

export function append(messages: Messages, id: string, type: 'text' | 'reasoning', text: string): Messages {
  const at = findById(messages, id);
  const message = messages[at];
  if (!message?.streaming) return messages;
  const parts = message.parts.slice();
  const last = parts.at(-1);
  // The part that grows is shared with snapshots that were given away.
  if (last?.type === type) parts[parts.length - 1] = { ...last };
  appendText(parts as MessagePart[], type, text);
  return messages.with(at, { ...message, parts });
}

export function remove(messages: Messages, id: string): Messages {
  const at = findById(messages, id);
  return at < 0 ? messages : messages.toSpliced(at, 1);
}

/** From the end, where what changes is. */
export function findById(messages: Messages, id: string): number {
  return messages.findLastIndex(({ message_id }) => message_id === id);
}
