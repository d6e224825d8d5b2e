import { expect, it } from 'vitest';
import type {
  ConversationPage,
  ForkPoint,
  ImportedMessage,
  MessagePlace,
  NewSession,
  SessionKey,
  Storage,
} from '../../../packages/server/src/storage/types.ts';
import {
  ALL,
  appended,
  ENGINE,
  event,
  finishRun,
  INSERT_MESSAGE,
  message,
  newSession,
  type OpenFresh,
  OWNER,
  queueRun,
  said,
  startedRun,
  startRun,
  textsOf,
  useStorage,
} from './fixtures.ts';

const ROOM = { maxSessions: 100 };
const RECORD = {
  ...OWNER,
  idempotencyKey: 'key',
  bodyHash: 'hash',
  response: '{"n":1}',
  createdAt: 1000,
};
const later = () => Date.now() + 60_000;

/** A message of a run, or of none; returns its id. */
async function say(storage: Storage, session: SessionKey, text: string, runId: string | null = null) {
  const id = `msg_${text}`;
  const events = [said(text, { runId, message: { message_id: id } })];
  await appended(storage, session, { events, writes: [INSERT_MESSAGE] });
  return id;
}

/** A run that has ended, with its messages. */
async function talk(storage: Storage, session: SessionKey, ...texts: string[]): Promise<string> {
  const runId = await startedRun(storage, session);
  for (const text of texts) await say(storage, session, text, runId);
  await appended(storage, session, { writes: [finishRun(runId)] });
  return runId;
}

async function pointOf(storage: Storage, session: SessionKey, id: string | null = null): Promise<ForkPoint> {
  const point = await storage.transfers.forkPoint(session, id);
  if (typeof point === 'string') throw new Error(point);
  return point;
}

async function textsIn(storage: Storage, session: SessionKey): Promise<string[]> {
  return textsOf((await storage.readMessages(session, { limit: 100 }))?.messages ?? []);
}

/** So many messages on their way in, one run each. */
function messages(count: number, from = 1): ImportedMessage[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: from + index,
    acceptedSeq: from + index,
    message: message(`text ${from + index}`),
  }));
}

async function begun(storage: Storage, values: Partial<NewSession> = {}): Promise<NewSession> {
  const session = newSession({ createdAt: 7000, ...values });
  await storage.transfers.begin(session, session.epoch, later());
  return session;
}

export function describeTransfers(openFresh: OpenFresh, memoryOnly?: string): void {
  const data = useStorage(openFresh);

  it('a fork has the messages up to its point, in their order, and a log of its own behind them (P1)', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    await talk(storage, parent, 'a', 'b');
    await talk(storage, parent, 'c', 'd');
    const point = await pointOf(storage, parent, 'msg_b');
    const fork = newSession({
      epoch: 'epoch-2',
      engine: { ...ENGINE, engineId: 'engine-2' },
      name: 'Fork 🚀',
      metadata: { x: 1 },
      events: [event('engine_linked')],
      forkedFrom: { sessionId: parent.sessionId, messageId: 'msg_b\u0000' },
    });

    expect(await storage.transfers.fork(parent, point, fork, ROOM)).toBe('created');

    const { events: _, ...created } = fork;
    expect(await storage.getSession(fork)).toEqual({
      ...created,
      headSeq: point.headSeq + 1,
      lastInteractionAt: fork.createdAt,
      unfinishedRuns: 0,
      usage: null,
      steps: 0,
      elapsedMs: 0,
    });
    expect(await textsIn(storage, fork)).toEqual(['a', 'b']);
    const log = await storage.readEvents(fork, 0, 10);
    expect(log).toMatchObject({ epoch: 'epoch-2', floorSeq: point.headSeq, headSeq: point.headSeq + 1 });
    expect(log?.events.map(({ seq, eventType }) => [seq, eventType])).toEqual([
      [point.headSeq + 1, 'engine_linked'],
    ]);
    expect(await storage.counts()).toEqual({ sessions: 2, engines: 2 });
    const found = await storage.listSessions(OWNER, { ...ALL, metadata: { x: '1' } });
    expect(found.sessions.map(({ sessionId }) => sessionId)).toEqual([fork.sessionId]);
    const { firstSeq } = await appended(storage, fork, { events: [said('e')], writes: [INSERT_MESSAGE] });
    expect(firstSeq).toBe(point.headSeq + 2);
    expect(textsOf(await storage.conversation(fork, firstSeq))).toEqual(['a', 'b', 'e']);
    expect(await textsIn(storage, parent)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('a fork stays when its parent is deleted and purged, and the other way round', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    await talk(storage, parent, 'a');
    const [first, second] = [newSession(), newSession()];
    const point = await pointOf(storage, parent);
    await storage.transfers.fork(parent, point, first, ROOM);
    await storage.transfers.fork(parent, point, second, ROOM);

    await storage.deleteSession(parent);
    await storage.deleteSession(second);
    while (await storage.purge(1000));

    expect(await textsIn(storage, first)).toEqual(['a']);
    expect(await storage.transfers.fork(parent, point, newSession(), ROOM)).toBe('not_there');
    expect(await storage.counts()).toEqual({ sessions: 1, engines: 0 });
  });

  it('a long fork is whole, also when it is refused at its end and asked for again (S3)', async () => {
    const { storage } = data;
    const parent = await begun(storage);
    await storage.transfers.add(parent, messages(1600), later());
    await storage.transfers.complete(parent, 1600, ROOM);
    const point = await pointOf(storage, parent);
    const fork = newSession();
    const others = [newSession(), newSession()];
    const room = { maxSessions: 3 };

    // They take its place while it is copied, or it takes one of theirs.
    const [forked, ...created] = await Promise.all([
      storage.transfers.fork(parent, point, fork, room),
      ...others.map((other) => storage.createSession(other, room.maxSessions)),
    ]);
    for (const other of others) await storage.deleteSession(other);
    while (await storage.purge(1000));
    const again = forked === 'full' ? await storage.transfers.fork(parent, point, fork, room) : forked;

    expect([forked, ...created].filter((one) => one === 'full')).toHaveLength(1);
    expect(again).toBe('created');
    const read: string[] = [];
    let after: MessagePlace | null = null;
    do {
      const page: ConversationPage | null = await storage.transfers.conversationPage(fork, {
        upTo: 1600,
        limit: 1000,
        after,
      });
      read.push(...textsOf(page?.messages ?? []));
      after = page?.next ?? null;
    } while (after);
    expect(read).toEqual(Array.from({ length: 1600 }, (_, index) => `text ${index + 1}`));
    expect(await storage.counts()).toEqual({ sessions: 2, engines: 0 });
  });

  it('a long fork whose parent is deleted meanwhile is whole or not there, and nothing of it stays (P2)', async () => {
    const { storage } = data;
    const parent = await begun(storage);
    await storage.transfers.add(parent, messages(1600), later());
    await storage.transfers.complete(parent, 1600, ROOM);
    const point = await pointOf(storage, parent);
    const fork = newSession();

    const [forked] = await Promise.all([
      storage.transfers.fork(parent, point, fork, ROOM),
      storage.deleteSession(parent),
    ]);
    await storage.transfers.abandon(fork);
    while (await storage.purge(1000));

    const page = await storage.transfers.conversationPage(fork, { upTo: 1600, limit: 1, after: null });
    expect(page?.messages.length ?? 'none').toBe(forked === 'created' ? 1 : 'none');
    expect(forked === 'created' || forked === 'not_there').toBe(true);
    expect(await storage.counts()).toEqual({ sessions: forked === 'created' ? 1 : 0, engines: 0 });
    expect(await storage.transfers.add(fork, [], later())).toBe(false);
  });

  it('a fork may begin where a run and all before it have ended, and nowhere else', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    const empty = await pointOf(storage, parent);
    await talk(storage, parent, 'a', 'b');
    const alone = await say(storage, parent, 'alone');
    const running = await startedRun(storage, parent);
    await say(storage, parent, 'c', running);
    const cancelled = await queueRun(storage, parent);
    await say(storage, parent, 'd', cancelled);
    await appended(storage, parent, {
      writes: [finishRun(cancelled, { from: ['queued'], status: 'cancelled' })],
    });

    const at = async (id: string) => {
      const point = await storage.transfers.forkPoint(parent, id);
      return typeof point === 'string' ? point : 'here';
    };
    const places = [];
    for (const id of ['msg_a', 'msg_b', alone, 'msg_c', 'msg_d', 'msg_x']) places.push(await at(id));
    const newest = await pointOf(storage, parent);
    await appended(storage, parent, { writes: [finishRun(running)] });

    expect(empty).toEqual({ messageId: null, acceptedSeq: 0, headSeq: 0 });
    expect(places).toEqual([
      'not_a_run_end',
      'here',
      'here',
      'not_a_run_end',
      'not_a_run_end',
      'message_not_found',
    ]);
    expect(newest.messageId).toBe(alone);
    expect([await at('msg_c'), await at('msg_d')]).toEqual(['here', 'here']);
    expect((await pointOf(storage, parent)).messageId).toBe('msg_d');
    expect(await storage.transfers.forkPoint(newSession(), null)).toBe('session_not_found');
  });

  it('what was queued meanwhile is not in the fork of the run before it', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    const first = await startedRun(storage, parent);
    const second = await queueRun(storage, parent);
    await say(storage, parent, 'second question', second);
    await say(storage, parent, 'first answer', first);
    await appended(storage, parent, { writes: [finishRun(first)] });
    await appended(storage, parent, { writes: [startRun(second)] });
    const fork = newSession();

    await storage.transfers.fork(parent, await pointOf(storage, parent), fork, ROOM);

    expect(await textsIn(storage, fork)).toEqual(['first answer']);
  });

  it('an id is found whatever it is made of, and only where it is the own one of a message', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    const strange = 'a"b\\c\u0000\ud800%_é';
    const quoting = { message_id: 'quoting', metadata: { message_id: strange, inner: { message_id: 'no' } } };
    for (const values of [{ message_id: strange }, quoting]) {
      await appended(storage, parent, { events: [said('x', { message: values })], writes: [INSERT_MESSAGE] });
    }

    expect((await pointOf(storage, parent, strange)).messageId).toBe(strange);
    expect(await storage.transfers.forkPoint(parent, 'no')).toBe('message_not_found');
  });

  it('forks and imports count like other sessions, and are refused without a trace (S3, S4)', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    await talk(storage, parent, 'a');
    const point = await pointOf(storage, parent);
    const staged = await begun(storage);
    await storage.transfers.add(staged, messages(2), later());
    const all = [
      (room: typeof ROOM & { maxOfOwner?: number }, record?: typeof RECORD) =>
        storage.transfers.fork(parent, point, newSession(), room, record),
      (room: typeof ROOM & { maxOfOwner?: number }, record?: typeof RECORD) =>
        storage.transfers.complete(staged, 2, room, record),
    ];

    for (const make of all) {
      expect(await make({ maxSessions: 1 })).toBe('full');
      expect(await make({ maxSessions: 10, maxOfOwner: 1 })).toBe('owner_full');
    }
    await storage.createSession(newSession(), 10, RECORD);
    for (const make of all) expect(await make(ROOM, RECORD)).toBe('idempotency_exists');
    expect(await storage.counts()).toEqual({ sessions: 2, engines: 1 });
    expect((await storage.listSessions(OWNER, ALL)).total).toBe(2);

    const other = { ...RECORD, idempotencyKey: 'other' };
    expect(await storage.transfers.complete(staged, 2, ROOM, other)).toBe('created');
    expect(await storage.getIdempotency(OWNER, 'other')).toEqual(other);
    expect((await storage.counts()).sessions).toBe(3);
  });

  it('of many forks at once, no more are made than may be (S3)', async () => {
    const { storage } = data;
    const parent = newSession({ engine: ENGINE });
    await storage.createSession(parent, 10);
    await talk(storage, parent, 'a');
    const point = await pointOf(storage, parent);

    const made = await Promise.all(
      Array.from({ length: 8 }, () =>
        storage.transfers.fork(parent, point, newSession(), { maxSessions: 100, maxOfOwner: 4 }),
      ),
    );

    expect(made.toSorted()).toEqual([...Array(3).fill('created'), ...Array(5).fill('owner_full')]);
    expect((await storage.counts()).sessions).toBe(4);
  });

  it('a conversation is read in its order, page by page, and later messages change nothing (S2)', async () => {
    const { storage } = data;
    const session = newSession({ engine: ENGINE });
    await storage.createSession(session, 10);
    const first = await startedRun(storage, session);
    const second = await queueRun(storage, session);
    for (const [text, run] of [
      ['2a', second],
      ['1a', first],
      ['1b', first],
      ['2b', second],
    ] as const) {
      await say(storage, session, text, run);
    }
    const upTo = (await storage.getSession(session))?.headSeq ?? 0;
    await say(storage, session, '1c', first);
    const read: string[][] = [];
    let after = null;
    do {
      const page: Awaited<ReturnType<typeof storage.transfers.conversationPage>> =
        await storage.transfers.conversationPage(session, { upTo, limit: 3, after });
      read.push(textsOf(page?.messages ?? []));
      after = page?.next ?? null;
    } while (after);

    expect(read).toEqual([['1a', '1b', '2a'], ['2b']]);
    expect(await storage.transfers.conversationPage(newSession(), { upTo, limit: 3, after })).toBeNull();
  });

  it('a page of a conversation has at most about a mebibyte, and at least a message', async () => {
    const { storage } = data;
    const session = newSession({ engine: ENGINE });
    await storage.createSession(session, 10);
    for (const letter of ['a', 'b', 'c']) await say(storage, session, letter.repeat(700_000));

    const page = await storage.transfers.conversationPage(session, { upTo: 100, limit: 10, after: null });

    expect(page?.messages).toHaveLength(1);
    expect(page?.next).toEqual({ acceptedSeq: 1, seq: 1 });
  });

  it('an import is nowhere before it is complete, and whole then (S4)', async () => {
    const { storage } = data;
    const session = await begun(storage, {
      engine: ENGINE,
      name: 'Imported',
      metadata: { x: 'y' },
      events: [event('engine_linked')],
      forkedFrom: { sessionId: 'elsewhere', messageId: null },
    });
    expect(await storage.transfers.add(session, messages(2), later())).toBe(true);
    expect(await storage.transfers.add(session, messages(2, 2), later())).toBe(true);
    const before = [
      await storage.getSession(session),
      await storage.readMessages(session, { limit: 10 }),
      (await storage.listSessions(OWNER, ALL)).sessions,
      (await storage.counts()).sessions,
      await storage.purge(1000),
      await storage.deleteSession(session),
      await storage.nextExpiry(),
      await storage.expireSessions(Date.now(), 10),
      (await storage.append([{ session, events: [event()] }]))[0]?.ok,
    ];

    expect(await storage.transfers.complete(session, 3, ROOM)).toBe('created');

    expect(before).toEqual([null, null, [], 0, false, false, null, [], false]);
    expect(await textsIn(storage, session)).toEqual(['text 1', 'text 2', 'text 3']);
    const { events: _, ...created } = session;
    expect(await storage.getSession(session)).toEqual({
      ...created,
      headSeq: 4,
      lastInteractionAt: 7000,
      unfinishedRuns: 0,
      usage: null,
      steps: 0,
      elapsedMs: 0,
    });
    expect(await storage.readEvents(session, 0, 10)).toMatchObject({ floorSeq: 3, headSeq: 4 });
    expect(await storage.counts()).toEqual({ sessions: 1, engines: 1 });
    expect(await storage.transfers.add(session, messages(1, 9), later())).toBe(false);
    await storage.transfers.abandon(session);
    expect(await textsIn(storage, session)).toHaveLength(3);
  });

  it('an import that is abandoned, or was forgotten, is purged with all that it had (S6)', async () => {
    const { storage } = data;
    const [left, forgotten, other] = [await begun(storage), await begun(storage), await begun(storage)];
    for (const one of [left, forgotten, other]) await storage.transfers.add(one, messages(3), later());

    await storage.transfers.abandon(left);
    await storage.transfers.add(forgotten, [], Date.now() - 1);

    expect(await storage.purge(2)).toBe(true);
    while (await storage.purge(2));
    expect(await storage.transfers.add(left, [], later())).toBe(false);
    expect(await storage.transfers.add(forgotten, [], later())).toBe(false);
    expect(await storage.transfers.complete(forgotten, 3, ROOM)).toBe('not_there');
    expect(await storage.transfers.complete({ ...other, ownerId: 'thief' }, 3, ROOM)).toBe('not_there');
    expect(await storage.transfers.complete(other, 3, ROOM)).toBe('created');
    expect(await textsIn(storage, other)).toHaveLength(3);
  });

  it.skipIf(memoryOnly)('forks and imports outlive the process that made them (P2)', async () => {
    const parent = newSession({ engine: ENGINE });
    await data.storage.createSession(parent, 10);
    await talk(data.storage, parent, 'a');
    const fork = newSession();
    await data.storage.transfers.fork(parent, await pointOf(data.storage, parent), fork, ROOM);
    const imported = await begun(data.storage);
    await data.storage.transfers.add(imported, messages(2), later());
    await data.storage.transfers.complete(imported, 2, ROOM);

    const storage = await data.restart();

    expect(await textsIn(storage, fork)).toEqual(['a']);
    expect(await textsIn(storage, imported)).toEqual(['text 1', 'text 2']);
  });
}
