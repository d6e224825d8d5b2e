/** States that do not come from events: of a history, and of a page of older messages. */
import { type History, parseCursor } from '@llmgine/protocol/wire';
import { arrange, toViewMessage } from './messages.ts';
import type { ViewMessage, ViewState } from './types.ts';

export function emptyState(sessionId: string): ViewState {
  return {
    sessionId,
    epoch: '',
    seq: 0,
    messages: [],
    runs: [],
    requests: [],
    engine: undefined,
    custom: [],
    next: null,
  };
}

/**
 * The state that a history tells. What the one before knew and a history does not say is kept: older messages that were
 * loaded, how long tools took, steps, and runs that had ended.
 */
export function stateOf(before: ViewState, history: History): ViewState {
  const { epoch, seq } = parseCursor(history.cursor) ?? { epoch: '', seq: 0 };
  // Without an epoch nothing is known yet but what was asked for elsewhere.
  const isSameLog = epoch === before.epoch || before.epoch === '';
  const known = isSameLog ? before : emptyState(before.sessionId);
  const page = history.messages.map((message) => toViewMessage(message, false));
  const older = olderThan(page, known.messages, history.next);
  const partial = history.partial_message ? [toViewMessage(history.partial_message, true)] : [];
  const unfinished = new Set(history.runs.map(({ run_id }) => run_id));
  return {
    sessionId: known.sessionId,
    epoch,
    seq,
    messages: reuse(known.messages, arrange([...older, ...page, ...partial])),
    runs: [
      ...known.runs.filter(({ run_id, finished_at }) => finished_at !== null && !unfinished.has(run_id)),
      ...history.runs.map((run) => {
        const seen = known.runs.find(({ run_id }) => run_id === run.run_id);
        return { ...run, steps: seen?.steps ?? [], status_text: seen?.status_text ?? null };
      }),
    ],
    requests: history.pending_requests,
    engine: known.engine,
    custom: known.custom,
    next: older.length > 0 ? known.next : history.next,
  };
}

/** With a page of messages before all that it has. */
export function withOlder(state: ViewState, page: Pick<History, 'messages' | 'next'>): ViewState {
  const known = new Set(state.messages.map(({ message_id }) => message_id));
  const older = page.messages
    .filter(({ message_id }) => !known.has(message_id))
    .map((message) => toViewMessage(message, false));
  return {
    ...state,
    messages: reuse(state.messages, arrange([...older, ...state.messages])),
    next: page.next,
  };
}

/** A page is the end of a conversation: what else there is came before, unless something is missing between. */
function olderThan(
  page: readonly ViewMessage[],
  known: readonly ViewMessage[],
  next: string | null,
): readonly ViewMessage[] {
  if (next === null) return [];
  const ids = new Set(page.map(({ message_id }) => message_id));
  const whole = known.filter(({ streaming }) => !streaming);
  if (!whole.some(({ message_id }) => ids.has(message_id))) return [];
  return whole.filter(({ message_id }) => !ids.has(message_id));
}

/** Messages that are whole do not change, so what was shown of them stays, with how long their tools took. */
function reuse(known: readonly ViewMessage[], messages: readonly ViewMessage[]): readonly ViewMessage[] {
  const whole = new Map(
    known.filter(({ streaming }) => !streaming).map((message) => [message.message_id, message]),
  );
  return messages.map((message) => {
    const seen = message.streaming ? undefined : whole.get(message.message_id);
    return seen && knowsAsMuch(seen, message) ? seen : message;
  });
}

function knowsAsMuch(seen: ViewMessage, message: ViewMessage): boolean {
  return message.tool_calls.every(
    ({ status }, i) => status === seen.tool_calls[i]?.status || status === 'waiting',
  );
}
