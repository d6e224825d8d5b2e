import { describe, expect, it } from 'vitest';
import { MAX_PAGE_SIZE, type SessionKey, type Storage } from '../../../packages/server/src/storage/types.ts';
import {
  appended,
  createSession,
  ENGINE,
  event,
  finishRun,
  INSERT_MESSAGE,
  message,
  type OpenFresh,
  queueRun,
  said,
  startedRun,
  textsOf,
  useStorage,
} from './fixtures.ts';

async function say(
  storage: Storage,
  session: SessionKey,
  text: string,
  runId: string | null = null,
): Promise<void> {
  await appended(storage, session, {
    events: [said(text, { runId })],
    writes: [INSERT_MESSAGE],
  });
}

export function describeMessages(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('events (P3)', () => {
    it('are read in order from after a place, with the head', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      await appended(storage, session, { events: Array.from({ length: 5 }, () => event()) });
      const seqs = async (after: number, limit: number) =>
        (await storage.readEvents(session, after, limit))?.events.map(({ seq }) => seq);

      expect(await seqs(0, 2)).toEqual([1, 2]);
      expect(await seqs(2, 100)).toEqual([3, 4, 5]);
      expect(await seqs(5, 100)).toEqual([]);
      expect(await storage.readEvents(session, Number.MAX_SAFE_INTEGER, 1)).toEqual({
        epoch: 'epoch-1',
        headSeq: 5,
        floorSeq: 0,
        events: [],
      });
    });

    it('of an unfinished run are found by their types, in order', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const other = await queueRun(storage, session);
      const of = (eventType: string, run: string | null = runId) => event(eventType, { runId: run });
      await appended(storage, session, {
        events: [of('tool_call'), of('tool_call', other), of('text_delta'), of('tool_call', null)],
      });
      await appended(storage, session, { events: [of('tool_result'), of('tool_call')] });
      const found = async (run: string, ...types: string[]) =>
        (await storage.runEvents(session, run, types)).map(({ seq, eventType }) => `${seq} ${eventType}`);

      expect(await found(runId, 'tool_call', 'tool_result')).toEqual([
        '4 tool_call',
        '8 tool_result',
        '9 tool_call',
      ]);
      expect(await found(other, 'run_queued')).toEqual(['3 run_queued']);
      expect([await found(runId, 'step_finished'), await found('another', 'tool_call')]).toEqual([[], []]);
    });

    it('come in pages of bounded size, of at least one event', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const payload = JSON.stringify({ text: 'x'.repeat(MAX_PAGE_SIZE * 0.6) });
      await appended(storage, session, {
        events: [event('custom:big', { payload }), event('custom:big', { payload }), event()],
      });
      const seqs = async (after: number, maxSize?: number) =>
        (await storage.readEvents(session, after, 100, maxSize))?.events.map(({ seq }) => seq);

      expect([await seqs(0), await seqs(1), await seqs(3)]).toEqual([[1], [2, 3], []]);
      expect([await seqs(0, 2 * MAX_PAGE_SIZE), await seqs(1, 1000)]).toEqual([[1, 2, 3], [2]]);
    });
  });

  describe('pages (S2)', () => {
    it('are of bounded size, and have at least one message', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      for (const letter of ['a', 'b']) await say(storage, session, letter.repeat(MAX_PAGE_SIZE * 0.6));

      const newest = await storage.readMessages(session, { limit: 5 });
      const oldest = await storage.readMessages(session, { limit: 5, before: newest?.next ?? 0 });

      expect([newest, oldest].map((page) => textsOf(page?.messages ?? []).map(([first]) => first))).toEqual([
        ['b'],
        ['a'],
      ]);
      expect(oldest?.next).toBeNull();
    });

    it('go from the newest page back, each oldest first', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      for (const text of ['1', '2', '3', '4', '5']) {
        await say(storage, session, text);
        await appended(storage, session, { events: [event()] });
      }

      const newest = await storage.readMessages(session, { limit: 2 });
      const middle = await storage.readMessages(session, { limit: 2, before: newest?.next ?? 0 });
      const oldest = await storage.readMessages(session, { limit: 2, before: middle?.next ?? 0 });

      expect([newest, middle, oldest].map((page) => textsOf(page?.messages ?? []))).toEqual([
        ['4', '5'],
        ['2', '3'],
        ['1'],
      ]);
      expect(oldest).toMatchObject({ next: null, epoch: 'epoch-1', headSeq: 10 });
      expect((await storage.readMessages(session, { limit: 5 }))?.next).toBeNull();
    });

    it('give messages as they were written', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const written = message('ünï 🚀', {
        metadata: { deep: { a: [null] } },
        parts: [
          { type: 'reasoning', text: 'hm' },
          { type: 'tool_call', tool_call_id: 't', tool_name: 'x', arguments: { a: 1 } },
        ],
      });

      await appended(storage, session, {
        events: [event(), event('message_completed', { payload: JSON.stringify(written) })],
        writes: [{ kind: 'insert_message', eventIndex: 1 }],
      });

      expect((await storage.readMessages(session, { limit: 5 }))?.messages).toEqual([written]);
    });
  });

  describe('conversation (S5)', () => {
    it('groups messages by run in the order of the runs, up to one of them', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const first = await startedRun(storage, session);
      await say(storage, session, 'question 1', first);
      const second = await queueRun(storage, session);
      await say(storage, session, 'question 2', second);
      await say(storage, session, 'answer 1', first);
      const third = await queueRun(storage, session);
      await say(storage, session, 'question 3', third);
      await say(storage, session, 'aside');
      await say(storage, session, 'answer 2', second);
      const conversation = async (runId: string) => {
        const run = await storage.getRun(session, runId);
        return textsOf(await storage.conversation(session, run?.acceptedSeq ?? 0));
      };

      expect(await conversation(first)).toEqual(['question 1', 'answer 1']);
      expect(await conversation(second)).toEqual(['question 1', 'answer 1', 'question 2', 'answer 2']);
      expect(await conversation(third)).toEqual([
        'question 1',
        'answer 1',
        'question 2',
        'answer 2',
        'question 3',
      ]);
      expect(textsOf(await storage.conversation(session, Number.MAX_SAFE_INTEGER)).at(-1)).toBe('aside');
    });
  });

  describe('snapshot (P3)', () => {
    it('has the messages, the unfinished runs and the open message of one moment', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const running = await startedRun(storage, session);
      const queued = await queueRun(storage, session);
      await say(storage, session, 'question', running);
      const speaks = (eventType: string) => event(eventType, { runId: running });
      await appended(storage, session, {
        fence: { runId: running, attempt: 1 },
        events: [speaks('step_started'), speaks('message_started'), speaks('text_delta')],
        writes: [{ kind: 'open_message', runId: running, eventIndex: 1 }],
      });
      // What others say meanwhile is no part of the message.
      await appended(storage, session, { events: [event(), event('text_delta', { runId: queued })] });
      await appended(storage, session, { events: [speaks('status'), speaks('reasoning_delta')] });

      const snapshot = await storage.snapshot(session, { limit: 10 });

      expect(textsOf(snapshot?.messages ?? [])).toEqual(['question']);
      expect(snapshot?.runs.map(({ runId, status }) => [runId, status])).toEqual([
        [running, 'running'],
        [queued, 'queued'],
      ]);
      expect(snapshot?.openEvents.map(({ seq, eventType }) => [seq, eventType])).toEqual([
        [6, 'message_started'],
        [7, 'text_delta'],
        [11, 'reasoning_delta'],
      ]);
      expect(snapshot).toMatchObject({ headSeq: 11, epoch: 'epoch-1', next: null });
    });

    it('is of one moment while others append: what it holds is exactly the log up to its head', async () => {
      const { storage } = data;
      const session = await createSession(storage);
      const writing = Array.from({ length: 50 }, (_, index) => say(storage, session, String(index + 1)));
      const snapshots = await Promise.all(
        Array.from({ length: 20 }, () => storage.snapshot(session, { limit: 100 })),
      );
      await Promise.all(writing);
      snapshots.push(await storage.snapshot(session, { limit: 100 }));

      for (const snapshot of snapshots) {
        expect(textsOf(snapshot?.messages ?? [])).toEqual(
          Array.from({ length: snapshot?.headSeq ?? -1 }, (_, index) => String(index + 1)),
        );
      }
      expect(snapshots.at(-1)?.headSeq).toBe(50);
    });

    it('has no open message once it is forgotten or the run has ended', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const open = (eventIndex: number | null) =>
        appended(storage, session, {
          events: [event(eventIndex === null ? 'message_discarded' : 'message_started', { runId })],
          writes: [{ kind: 'open_message', runId, eventIndex }],
        });
      const openEvents = async () => (await storage.snapshot(session, { limit: 1 }))?.openEvents.length;

      const counts = [];
      await open(0);
      counts.push(await openEvents());
      await open(null);
      counts.push(await openEvents());
      await open(0);
      counts.push(await openEvents());
      await appended(storage, session, { writes: [finishRun(runId)] });
      counts.push(await openEvents());

      expect(counts).toEqual([1, 0, 1, 0]);
    });
  });
}
