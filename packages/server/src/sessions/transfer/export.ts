import { setImmediate } from 'node:timers/promises';
import {
  ApiError,
  EXPORT_VERSION,
  type ExportLine,
  type JsonObject,
  type SessionUsage,
} from '@llmgine/protocol';
import type { MessagePlace, SessionRow, Storage } from '../../storage/types.ts';
import { toSessionUsage } from '../usage-view.ts';
import { toForkOrigin } from './fork-origin.ts';

const PAGE = 100;

/**
 * The lines of a session as of now, a page at a time: nothing is read before somebody takes it, and nothing is held in
 * between. Messages never change, so those up to the head of this moment are one cut, however long it takes. Events that
 * are removed meanwhile because of their age are not in it. Throws `SESSION_NOT_FOUND` when it is deleted on the way.
 */
export async function* exportSession(
  storage: Storage,
  session: SessionRow,
): AsyncGenerator<string, void, undefined> {
  yield line(describe(session));
  const messages = yield* exportMessages(storage, session);
  const events = yield* exportEvents(storage, session);
  yield line({ type: 'end', messages, events });
}

function describe(session: SessionRow): ExportLine {
  const { engine, forkedFrom } = session;
  const hasUsage = session.steps > 0 || session.usage !== null;
  return {
    type: 'session',
    version: EXPORT_VERSION,
    session_id: session.sessionId,
    created_at: new Date(session.createdAt).toISOString(),
    name: session.name,
    metadata: session.metadata,
    engine: engine && { engine_type: engine.engineType, engine_config: engine.config },
    forked_from: forkedFrom && toForkOrigin(forkedFrom),
    usage: hasUsage ? (toSessionUsage(session) satisfies SessionUsage) : null,
  };
}

async function* exportMessages(
  storage: Storage,
  session: SessionRow,
): AsyncGenerator<string, number, undefined> {
  let written = 0;
  let after: MessagePlace | null = null;
  do {
    const options = { upTo: session.headSeq, limit: PAGE, after };
    const page = await storage.transfers.conversationPage(session, options);
    if (!page) throw new ApiError('SESSION_NOT_FOUND');
    for (const message of page.messages) yield line({ type: 'message', ...message });
    written += page.messages.length;
    after = page.next;
    await othersFirst();
  } while (after);
  return written;
}

async function* exportEvents(
  storage: Storage,
  session: SessionRow,
): AsyncGenerator<string, number, undefined> {
  let written = 0;
  let after = 0;
  while (after < session.headSeq) {
    const page = await storage.readEvents(session, after, PAGE);
    if (!page || page.epoch !== session.epoch) throw new ApiError('SESSION_NOT_FOUND');
    if (page.events.length === 0) break;
    for (const { seq, data } of page.events) {
      after = seq;
      if (seq > session.headSeq) break;
      // It is JSON already.
      yield `{"type":"event",${data.slice(1)}\n`;
      written++;
    }
    await othersFirst();
  }
  return written;
}

/** A reader may be as fast as the storage, and then nobody else would be answered. */
async function othersFirst(): Promise<void> {
  await setImmediate();
}

function line(value: ExportLine | JsonObject): string {
  return `${JSON.stringify(value)}\n`;
}
