/** A streamed message is completed with exactly what was streamed, or withdrawn. */
import { type MessagePart, messageText, type SessionEvent } from '@llmgine/protocol';
import { eventsByRun, type Facts, type SessionFacts } from '../facts.ts';

interface Streamed {
  readonly startedAt: number;
  text: string;
  reasoning: string;
  state: 'open' | 'completed' | 'discarded';
}

export function* messagesAreWhole({ sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    yield* completedOnce(session);
    for (const [runId, events] of eventsByRun(session)) {
      yield* check(`${session.session}: run ${runId}`, events, session);
    }
  }
}

function* completedOnce({ session, events }: SessionFacts): Iterable<string> {
  const completed = new Set<string>();
  for (const event of events) {
    if (event.event_type !== 'message_completed') continue;
    const { message_id: id } = event.payload;
    if (completed.has(id)) yield `${session}: message ${id} is completed again at ${event.cursor}`;
    completed.add(id);
  }
}

function* check(run: string, events: readonly SessionEvent[], session: SessionFacts): Iterable<string> {
  const messages = new Map<string, Streamed>();
  const known = new Set(session.events.map(({ seq }) => seq));
  for (const event of events) {
    if (event.event_type === 'message_started') {
      const { message_id: id } = event.payload;
      if (messages.has(id)) yield `${run} starts message ${id} again at ${event.cursor}`;
      messages.set(id, { startedAt: event.seq, text: '', reasoning: '', state: 'open' });
    } else if (event.event_type === 'text_delta' || event.event_type === 'reasoning_delta') {
      const { message_id: id, text } = event.payload;
      const message = messages.get(id);
      if (message?.state !== 'open') {
        yield `${run} streams message ${id} at ${event.cursor}, which is ${message?.state ?? 'not started'}`;
      } else if (event.event_type === 'text_delta') message.text += text;
      else message.reasoning += text;
    } else if (event.event_type === 'message_completed') {
      const message = messages.get(event.payload.message_id);
      if (message) yield* complete(run, message, event, known);
    } else if (event.event_type === 'message_discarded') {
      const { message_id: id } = event.payload;
      const message = messages.get(id);
      if (message?.state !== 'open') {
        yield `${run} withdraws message ${id} at ${event.cursor}, which is ${message?.state ?? 'not started'}`;
      } else message.state = 'discarded';
    } else if (event.event_type === 'run_finished') {
      for (const [id, { state }] of messages) {
        if (state === 'open') yield `${run} ends and leaves message ${id} half said`;
      }
    }
  }
}

function* complete(
  run: string,
  message: Streamed,
  event: Extract<SessionEvent, { event_type: 'message_completed' }>,
  known: ReadonlySet<number>,
): Iterable<string> {
  const { message_id: id, parts } = event.payload;
  if (message.state === 'discarded')
    yield `${run} completes message ${id} at ${event.cursor}, which was withdrawn`;
  message.state = 'completed';
  // Compacted before anybody saw all of it: there is nothing to compare.
  for (let seq = message.startedAt; seq < event.seq; seq++) if (!known.has(seq)) return;
  if (message.text !== messageText({ parts }) || message.reasoning !== reasoningOf(parts)) {
    yield `${run} completes message ${id} at ${event.cursor} with another text than it streamed`;
  }
}

function reasoningOf(parts: readonly MessagePart[]): string {
  return parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join('');
}
