/** Streamed messages, and what the tests of removing their deltas and old events have in common. */
import type { SessionKey, Storage } from '../../../packages/server/src/storage/types.ts';
import { appended, event, fence, readLog, said } from './fixtures.ts';

/** Far after everything that these tests append. */
export const LATER = 1_000_000;

/** Opens a message and streams these pieces of it, each in an append of its own. */
export async function streamMessage(
  storage: Storage,
  session: SessionKey,
  runId: string,
  pieces: readonly string[],
): Promise<void> {
  await appended(storage, session, {
    fence: fence(runId),
    events: [event('message_started', { runId })],
    writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
  });
  for (const eventType of pieces) {
    await appended(storage, session, { fence: fence(runId), events: [event(eventType, { runId })] });
  }
}

/** Ends the streamed message of the run; the event is the second of its append. */
export function completeMessage(
  storage: Storage,
  session: SessionKey,
  runId: string,
  text: string,
  createdAt = 3000,
) {
  return appended(storage, session, {
    fence: fence(runId),
    events: [event('status', { runId }), said(text, { runId, createdAt })],
    writes: [
      { kind: 'insert_message', eventIndex: 1, streamed: true },
      { kind: 'open_message', runId, eventIndex: null },
    ],
  });
}

export async function drain(slice: () => Promise<boolean>): Promise<number> {
  let slices = 1;
  while (await slice()) slices++;
  return slices;
}

export const kindsOf = async (storage: Storage, session: SessionKey) =>
  (await readLog(storage, session)).map(({ seq, eventType }) => `${seq} ${eventType}`);
