import type { Message } from '@llmgine/protocol';
import { describe, expect, it } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  fence,
  type OpenFresh,
  readLog,
  said,
  startedRun,
  useStorage,
} from './fixtures.ts';
import { completeMessage, drain, kindsOf, LATER, streamMessage } from './streams.ts';

export function describeCompaction(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('streamed messages (P1)', () => {
    it('stand for the deltas between their beginning and their end', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      await streamMessage(storage, session, runId, ['text_delta', 'reasoning_delta']);

      const outcome = await completeMessage(storage, session, runId, 'hello');

      expect(outcome.replaced).toEqual([{ eventIndex: 1, fromSeq: 4, toSeq: 6 }]);
      const payload = JSON.parse((await readLog(storage, session)).at(-1)?.payload ?? '');
      expect(payload).toMatchObject({ replaces: { from_seq: 4, to_seq: 6 }, role: 'assistant' });
      // The message itself is what was said, and no more.
      const { replaces, ...written } = payload as Message & { replaces: unknown };
      expect(replaces).toBeDefined();
      expect((await storage.readMessages(session, { limit: 1 }))?.messages).toEqual([written]);
      expect(await storage.conversation(session, 1)).toEqual([written]);
    });

    it('may begin and end in one append', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);

      const outcome = await appended(storage, session, {
        fence: fence(runId),
        events: [event('message_started', { runId }), event('text_delta', { runId }), said('hi', { runId })],
        writes: [
          { kind: 'open_message', runId, eventIndex: 0 },
          { kind: 'insert_message', eventIndex: 2, streamed: true },
          { kind: 'open_message', runId, eventIndex: null },
        ],
      });

      expect(outcome.replaced).toEqual([{ eventIndex: 2, fromSeq: 4, toSeq: 4 }]);
      expect((await storage.getRun(session, runId))?.openSeq).toBeNull();
    });

    it('stand for nothing where nothing lies between, or nothing was streamed', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const insert = (streamed?: boolean) => ({
        kind: 'insert_message' as const,
        eventIndex: 0,
        ...(streamed === undefined ? {} : { streamed }),
      });
      const speaks = async (streamed?: boolean) =>
        (await appended(storage, session, { events: [said('hi', { runId })], writes: [insert(streamed)] }))
          .replaced;

      const replaced = [await speaks(true)];
      await streamMessage(storage, session, runId, []);
      replaced.push(await speaks(true));
      await streamMessage(storage, session, runId, ['text_delta']);
      replaced.push(await speaks(false), await speaks());

      expect(replaced).toEqual(Array(4).fill(undefined));
      expect((await readLog(storage, session)).filter(({ payload }) => payload.includes('replaces'))).toEqual(
        [],
      );
      expect(await storage.nextCompaction()).toBeNull();
    });
  });

  describe('compaction', () => {
    it('removes the deltas that a message stands for, and nothing else (P1)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      const other = await startedRun(storage, session);
      await streamMessage(storage, session, runId, ['text_delta']);
      // Other runs, other events and clients in between.
      await appended(storage, session, {
        events: [
          event('text_delta', { runId: other }),
          event('text_delta'),
          event('tool_call', { runId }),
          event('reasoning_delta', { runId }),
          event('custom:text_delta', { runId, eventId: 'one' }),
        ],
      });
      await completeMessage(storage, session, runId, 'hello');
      // The next message is still being said.
      await streamMessage(storage, session, runId, ['text_delta']);
      const before = [
        await storage.readMessages(session, { limit: 9 }),
        await storage.getRun(session, runId),
      ];

      await drain(() => storage.compactEvents(LATER, 100));

      expect(await kindsOf(storage, session)).toEqual([
        '1 run_queued',
        '2 run_started',
        '3 run_queued',
        '4 run_started',
        '5 message_started',
        '7 text_delta',
        '8 text_delta',
        '9 tool_call',
        '11 custom:text_delta',
        '12 status',
        '13 message_completed',
        '14 message_started',
        '15 text_delta',
      ]);
      expect([
        await storage.readMessages(session, { limit: 9 }),
        await storage.getRun(session, runId),
      ]).toEqual(before);
      expect((await storage.snapshot(session, { limit: 1 }))?.openEvents.map(({ seq }) => seq)).toEqual([
        14, 15,
      ]);
      expect(await storage.readEvents(session, 5, 2)).toMatchObject({
        headSeq: 15,
        floorSeq: 0,
        events: [{ seq: 7 }, { seq: 8 }],
      });
      expect(await append(storage, session, { events: [event()] })).toMatchObject({ ok: true, firstSeq: 16 });
    });

    it('waits until a message was completed long enough ago (P3)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const other = await createSession(storage, { engine: ENGINE, ownerId: 'other' });
      const [runId, late] = [await startedRun(storage, session), await startedRun(storage, other)];
      await streamMessage(storage, other, late, ['text_delta']);
      await completeMessage(storage, other, late, 'late', 8000);
      await streamMessage(storage, session, runId, ['text_delta']);
      await completeMessage(storage, session, runId, 'early', 7000);
      const lengths = async () => [
        (await readLog(storage, session)).length,
        (await readLog(storage, other)).length,
      ];

      const next = [await storage.nextCompaction()];
      const more = [await storage.compactEvents(7000, 100)];
      const kept = [await lengths()];
      more.push(await storage.compactEvents(7001, 100));
      kept.push(await lengths());
      next.push(await storage.nextCompaction());
      more.push(await storage.compactEvents(8001, 100));
      kept.push(await lengths());
      next.push(await storage.nextCompaction());

      expect(kept).toEqual([
        [6, 6],
        [5, 6],
        [5, 5],
      ]);
      expect(more).toEqual([false, false, false]);
      expect(next).toEqual([7000, 8000, null]);
    });

    it('goes in slices of at most the limit, the messages completed first (S6)', async () => {
      const { storage } = data;
      const session = await createSession(storage, { engine: ENGINE });
      const runId = await startedRun(storage, session);
      for (const createdAt of [5000, 6000]) {
        await streamMessage(storage, session, runId, Array(5).fill('text_delta'));
        await completeMessage(storage, session, runId, 'hi', createdAt);
      }
      const deltas = async () =>
        (await readLog(storage, session)).filter(({ eventType }) => eventType === 'text_delta').length;

      const more = [await storage.compactEvents(LATER, 3)];
      const left = [await deltas()];
      while (more.at(-1)) {
        more.push(await storage.compactEvents(LATER, 3));
        left.push(await deltas());
      }

      for (const [index, count] of [10, ...left].entries()) {
        expect(count - (left[index] ?? count)).toBeLessThanOrEqual(3);
      }
      expect(left.at(-1)).toBe(0);
      expect(more.length).toBeGreaterThanOrEqual(4);
      expect(await storage.compactEvents(LATER, 3)).toBe(false);
    });
  });
}
