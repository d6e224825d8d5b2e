/** Which turns of a conversation a model is sent. */
import type { Message } from '@llmgine/protocol';
import { messageTokens } from '../../models/token-estimate.ts';

/**
 * How much of the room is left filled when turns are dropped. To drop one turn a run would be to send another beginning
 * each time, and providers remember, and charge less for, what begins as before.
 */
const KEPT = 0.75;

/** A user message and everything up to the next one; what comes before the first one is a turn too. */
export function turnsOf(messages: readonly Message[]): readonly (readonly Message[])[] {
  const turns: Message[][] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last && message.role !== 'user') last.push(message);
    else turns.push([message]);
  }
  return turns;
}

export interface Window {
  /** The oldest turns. */
  readonly dropped: readonly Message[];
  /** The others, at least the newest one, which may be larger than the room. */
  readonly kept: readonly Message[];
}

/**
 * Whole turns, so that no tool call is without its result. Goes through the conversation as it has grown, so that the
 * same turns stay dropped until the room is full again.
 *
 * @param room About how many tokens fit.
 */
export function fitWindow(
  messages: readonly Message[],
  room: number,
  tokensOf: (message: Message) => number = messageTokens,
): Window {
  const turns = turnsOf(messages);
  const sizes = turns.map((turn) => sum(turn, tokensOf));
  let first = 0;
  let total = 0;
  for (const [index, size] of sizes.entries()) {
    total += size;
    if (total <= room) continue;
    while (first < index && total > room * KEPT) {
      total -= sizes[first] ?? 0;
      first++;
    }
  }
  return { dropped: turns.slice(0, first).flat(), kept: turns.slice(first).flat() };
}

export function sum(messages: readonly Message[], tokensOf: (message: Message) => number): number {
  return messages.reduce((total, message) => total + tokensOf(message), 0);
}
