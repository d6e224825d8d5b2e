import { appendText, type EventPayload, type Message, type MessagePart } from '@llmgine/protocol';
import type { LogEvent } from '../storage/log-event.ts';

/** What was streamed so far of an unfinished message, from its `message_started` and the deltas after it. */
export function partialMessage(events: readonly LogEvent[]): Message | null {
  const first = events[0];
  if (first?.eventType !== 'message_started') return null;
  const started = JSON.parse(first.payload) as EventPayload<'message_started'>;
  const parts: MessagePart[] = [];
  for (const event of events) {
    if (event.eventType !== 'text_delta' && event.eventType !== 'reasoning_delta') continue;
    const delta = JSON.parse(event.payload) as EventPayload<'text_delta'>;
    if (delta.message_id === started.message_id) {
      appendText(parts, event.eventType === 'text_delta' ? 'text' : 'reasoning', delta.text);
    }
  }
  return {
    message_id: started.message_id,
    role: started.role,
    run_id: first.runId,
    parts,
    created_at: new Date(first.createdAt).toISOString(),
    metadata: { incomplete: true },
  };
}
