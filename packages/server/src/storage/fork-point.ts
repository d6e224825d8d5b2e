import type { Message } from '@llmgine/protocol';
import type { ForkPoint, ForkRefusal as Refusal } from './types.ts';

/** Messages that hold the text of an id somewhere; one of them has it as its own. */
export const MAX_CANDIDATES = 100;

export interface PlacedMessage {
  readonly seq: number;
  readonly accepted_seq: number;
  readonly message: string;
}

/** A `ForkPoint` before it is known what is up to it. */
export type Point = Omit<ForkPoint, 'headSeq'>;

/** How the id stands in the JSON of its message. Others may hold the same text, so it only finds candidates. */
export function idText(messageId: string): string {
  return `"message_id":${JSON.stringify(messageId)}`;
}

export function ownerOf(candidates: readonly PlacedMessage[], messageId: string): PlacedMessage | undefined {
  return candidates.find(({ message }) => idOf(message) === messageId);
}

/** The point after the newest message of runs that have ended. */
export function newestPoint(newest: PlacedMessage | undefined): Point {
  return newest
    ? { messageId: idOf(newest.message), acceptedSeq: newest.accepted_seq }
    : { messageId: null, acceptedSeq: 0 };
}

/** `lastSeq` of the messages of its run; `unfinished`: where the oldest run begins that has not ended. */
export function pointAt(
  { seq, accepted_seq, message }: PlacedMessage,
  lastSeq: number,
  unfinished: number | null,
): Point | Refusal {
  const ended = unfinished === null || accepted_seq < unfinished;
  return ended && seq === lastSeq ? { messageId: idOf(message), acceptedSeq: accepted_seq } : 'not_a_run_end';
}

function idOf(message: string): string {
  return (JSON.parse(message) as Message).message_id;
}
