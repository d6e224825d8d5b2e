import type { Message } from '@llmgine/protocol';
import { MAX_PAGE_SIZE, type MessagePage, type SessionKey, type Snapshot } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Events } from './events.ts';
import type { Requests } from './requests.ts';
import type { Runs } from './runs.ts';
import type { FoundSession, Sessions } from './sessions.ts';

interface PageOptions {
  readonly limit: number;
  readonly before?: number;
}
interface Row {
  readonly seq: number;
  readonly message: string;
}

export class Messages {
  readonly #sessions: Sessions;
  readonly #runs: Runs;
  readonly #events: Events;
  readonly #requests: Requests;
  readonly #before: Prepared<{ session: number; before: number; limit: number }, Row>;
  readonly #conversation: Prepared<{ session: number; acceptedSeq: number }, { message: string }>;

  constructor(
    database: Database,
    parts: {
      readonly sessions: Sessions;
      readonly runs: Runs;
      readonly events: Events;
      readonly requests: Requests;
    },
  ) {
    this.#sessions = parts.sessions;
    this.#runs = parts.runs;
    this.#events = parts.events;
    this.#requests = parts.requests;
    const db = database.sql;
    this.#before = database.prepare((p: { session: number; before: number; limit: number }) =>
      db
        .selectFrom('messages')
        .select(['seq', 'message'])
        .where('session', '=', p.session)
        .where('seq', '<', p.before)
        .orderBy('seq', 'desc')
        .limit(p.limit),
    );
    this.#conversation = database.prepare((p: { session: number; acceptedSeq: number }) =>
      db
        .selectFrom('messages')
        .select('message')
        .where('session', '=', p.session)
        .where('accepted_seq', '<=', p.acceptedSeq)
        .orderBy('accepted_seq')
        .orderBy('seq'),
    );
  }

  page(key: SessionKey, options: PageOptions): MessagePage | null {
    const session = this.#sessions.find(key);
    return session && this.#page(session, options);
  }

  snapshot(key: SessionKey, options: PageOptions): Snapshot | null {
    const session = this.#sessions.find(key);
    if (!session) return null;
    const runs = this.#runs.unfinishedAt(session.position, key);
    const speaking = runs.find((run) => run.status === 'running' && run.openSeq !== null);
    const openEvents =
      speaking?.openSeq == null
        ? []
        : this.#events.openMessage(session.position, session.epoch, speaking.runId, speaking.openSeq);
    const pendingRequests = this.#requests.pendingAt(session.position, key);
    return { ...this.#page(session, options), runs, openEvents, pendingRequests };
  }

  conversation(key: SessionKey, acceptedSeq: number): Message[] {
    const session = this.#sessions.find(key);
    if (!session) return [];
    return this.#conversation.all({ session: session.position, acceptedSeq }).map(toMessage);
  }

  #page(session: FoundSession, { limit, before = Number.MAX_SAFE_INTEGER }: PageOptions): MessagePage {
    const { rows, cut } = this.#before.upTo(
      { session: session.position, before, limit: limit + 1 },
      MAX_PAGE_SIZE,
      (row) => row.message.length,
    );
    const shown = rows.slice(0, limit);
    return {
      messages: shown.toReversed().map(toMessage),
      next: cut || rows.length > limit ? (shown.at(-1)?.seq ?? null) : null,
      epoch: session.epoch,
      headSeq: session.head_seq,
    };
  }
}

function toMessage({ message }: { readonly message: string }): Message {
  return JSON.parse(message) as Message;
}
