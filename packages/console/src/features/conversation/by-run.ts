import type { ViewMessage } from '@llmgine/client';

/**
 * The messages of a run beside each other, the runs in the order of their first messages: what was written while an answer
 * grew stands below that answer, and its own answer below it.
 */
export function byRun<T extends Pick<ViewMessage, 'message_id' | 'run_id'>>(
  messages: readonly T[],
): readonly T[] {
  return [...Map.groupBy(messages, ({ run_id: run, message_id: id }) => run ?? id).values()].flat();
}
