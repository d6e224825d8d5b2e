import type { Message } from '@llmgine/protocol';
import { sql } from 'kysely';
import { MAX_PAGE_SIZE, type MessagePage, type SessionKey, type Snapshot } from '../types.ts';
import type { Database, Sql } from './database.ts';
import { openMessage } from './events.ts';
import { pendingRequests } from './requests.ts';
import { unfinishedRuns } from './runs.ts';
import { findSession, positionOf } from './session-row.ts';
import { decode } from './text.ts';

interface PageOptions {
  readonly limit: number;
  readonly before?: number;
}
export class Messages {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  page(key: SessionKey, options: PageOptions): Promise<MessagePage | null> {
    return this.#database.snapshot(async (db) => {
      const session = await findSession(db, key);
      return session ? page(db, session, options) : null;
    });
  }

  snapshot(key: SessionKey, options: PageOptions): Promise<Snapshot | null> {
    return this.#database.snapshot(async (db) => {
      const session = await findSession(db, key);
      if (!session) return null;
      const runs = await unfinishedRuns(db, session.position, key);
      const speaking = runs.find((run) => run.status === 'running' && run.openSeq !== null);
      const openEvents =
        speaking?.openSeq == null ? [] : await openMessage(db, session, speaking.runId, speaking.openSeq);
      const pending = await pendingRequests(db, session.position, key);
      return { ...(await page(db, session, options)), runs, openEvents, pendingRequests: pending };
    });
  }

  async conversation(key: SessionKey, acceptedSeq: number): Promise<Message[]> {
    const rows = await this.#database.sql
      .selectFrom('messages as m')
      .select('m.message')
      .where('m.session', '=', positionOf(this.#database.sql, key))
      .where('m.accepted_seq', '<=', acceptedSeq)
      .orderBy('m.accepted_seq')
      .orderBy('m.seq')
      .execute();
    return rows.map(toMessage);
  }
}

async function page(
  db: Sql,
  session: { readonly position: number; readonly epoch: string; readonly head_seq: number },
  { limit, before = Number.MAX_SAFE_INTEGER }: PageOptions,
): Promise<MessagePage> {
  const rows = await db
    .selectFrom((eb) =>
      eb
        .selectFrom('messages as m')
        .select(['m.seq', 'm.message', 'm.size'])
        .select(sql<number>`sum(m.size) over (order by m.seq desc) - m.size`.as('newer'))
        .select(sql<boolean>`lead(m.seq) over (order by m.seq desc) is not null`.as('more'))
        .where('m.session', '=', session.position)
        .where('m.seq', '<', before)
        .orderBy('m.seq', 'desc')
        .limit(limit + 1)
        .as('m'),
    )
    .select(['m.seq', 'm.message', 'm.more'])
    .where((eb) =>
      eb.or([eb('m.newer', '=', sql.lit(0)), eb(sql<number>`m.newer + m.size`, '<=', MAX_PAGE_SIZE)]),
    )
    .orderBy('m.seq', 'desc')
    .execute();
  const shown = rows.slice(0, limit);
  const oldest = shown.at(-1);
  return {
    messages: shown.toReversed().map(toMessage),
    next: oldest?.more ? oldest.seq : null,
    epoch: decode(session.epoch),
    headSeq: session.head_seq,
  };
}

function toMessage({ message }: { readonly message: string }): Message {
  return JSON.parse(message) as Message;
}
