import type { MessagePart } from './messages.ts';

/**
 * Adds streamed text to the last part where that is of the same kind, else as a new part. A part that has its metadata is
 * complete.
 */
export function appendText(parts: MessagePart[], type: 'text' | 'reasoning', text: string): void {
  const last = parts.at(-1);
  if (last?.type === type && last.provider_metadata === undefined) last.text += text;
  else parts.push({ type, text });
}

/** The text parts of a message, joined. */
export function messageText(message: { readonly parts: readonly MessagePart[] }): string {
  let text = '';
  for (const part of message.parts) if (part.type === 'text') text += part.text;
  return text;
}
