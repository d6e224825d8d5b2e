import { randomUUID } from 'node:crypto';
import type { Message } from '@llmgine/protocol';
import type { EngineContext } from './types.ts';

export interface SayOptions {
  /** Kept with the message; default `{}`. */
  readonly metadata?: Message['metadata'];
}

/**
 * Says something that comes from no model, as one assistant message of the conversation: a text, or its pieces while
 * they come. Waits when much is uncommitted, and resolves when the message is committed. Rejects with what the pieces
 * reject with, and as soon as the next piece is there when the run has been stopped; the run then withdraws the
 * half-said message.
 */
export async function say(
  context: EngineContext,
  text: string | AsyncIterable<string>,
  { metadata = {} }: SayOptions = {},
): Promise<Message> {
  const id = `msg_${randomUUID()}`;
  const createdAt = new Date().toISOString();
  let said = '';
  context.emit({ event_type: 'message_started', payload: { message_id: id, role: 'assistant' } });
  for await (const piece of typeof text === 'string' ? [text] : text) {
    context.signal.throwIfAborted();
    if (piece === '') continue;
    said += piece;
    const isRoomy = context.emit({ event_type: 'text_delta', payload: { message_id: id, text: piece } });
    if (!isRoomy) await context.drain();
  }
  const message: Message = {
    message_id: id,
    role: 'assistant',
    run_id: context.runId,
    parts: said === '' ? [] : [{ type: 'text', text: said }],
    created_at: createdAt,
    metadata,
  };
  context.emit({ event_type: 'message_completed', payload: message });
  await context.drain();
  return message;
}
