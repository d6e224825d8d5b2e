/** A place in the log: nothing missed, nothing twice, and told when that cannot be had. */
import type { SessionEvent } from '@llmgine/protocol/wire';
import { describe, expect, test } from 'vitest';
import { FaultyServer } from '../../../tests/faults/child.ts';
import { tempDir } from '../../../tests/helpers/app.ts';
import { startTestModels } from '../../../tests/helpers/model-app.ts';
import { Sequence } from '../src/sequence.ts';
import { stateOf, testClient } from './helpers.ts';
import { event, startWireServer } from './wire-server.ts';

const ID = '00000000-0000-4000-8000-000000000000';

test('a server that is killed in the middle of a run: the loop sees the run go on to its end, each event once', async () => {
  const models = await startTestModels();
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'Half ' }, { gate }, { text: 'a sentence.' }] },
    { steps: [{ text: 'A whole ' }, { text: 'sentence.' }] },
  );
  const server = await FaultyServer.start({
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  });
  const client = testClient(server.url);
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);
  const run = session.prompt('Hello');
  const seen: SessionEvent[] = [];
  for await (const each of run) {
    seen.push(each);
    if (each.event_type === 'text_delta' && each.payload.text.includes('Half')) await server.restart();
  }
  expect(await run.text).toBe('A whole sentence.');
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, n) => (seen[0]?.seq ?? 0) + n));
  expect(seen.some(({ event_type }) => event_type === 'message_discarded')).toBe(true);
  expect(seen.at(-1)?.event_type).toBe('run_finished');
});

test('after each loss it subscribes after the last event that it has seen, and drops what it has seen already', async () => {
  const { url, subscriptions } = await startWireServer({
    subscribed: (socket, n) => {
      if (n === 1) for (const seq of [1, 2]) socket.send(event(seq, 'custom:a'));
      // A server that repeats itself.
      if (n === 2) for (const seq of [1, 2, 3]) socket.send(event(seq, 'custom:a'));
      if (n < 3) socket.close(1012);
    },
  });
  const session = testClient(url).session(ID);
  const seen: number[] = [];
  session.on('custom:a', ({ seq }) => seen.push(seq));
  await session.connect();
  await expect
    .poll(() => subscriptions.map(({ data }) => data.after))
    .toEqual([undefined, 'epoch0:2', 'epoch0:3']);
  await stateOf(session, 'open');
  expect(seen).toEqual([1, 2, 3]);
  expect(session.cursor).toBe('epoch0:3');
});

test('a place that is lost is told before anything else, and it goes on from the new one', async () => {
  const { url } = await startWireServer({
    place: (_subscribe, n) =>
      n === 1
        ? { cursor: 'epoch0:7', resync_required: false }
        : { cursor: 'epoch1:2', resync_required: true },
    subscribed: (socket, n) => {
      if (n === 1) socket.close(1012);
      else socket.send(event(3, 'custom:a').replaceAll('epoch0', 'epoch1'));
    },
  });
  const session = testClient(url).session(ID);
  const seen: unknown[] = [];
  session.on('resync', ({ cursor }) => seen.push(['resync', cursor]));
  session.on('*', ({ cursor }) => seen.push(['event', cursor]));
  await session.connect();
  await expect
    .poll(() => seen)
    .toEqual([
      ['resync', 'epoch1:2'],
      ['event', 'epoch1:3'],
    ]);
});

test('a session may begin after a cursor instead of now', async () => {
  const { url, subscriptions } = await startWireServer({
    subscribed: (socket) => socket.send(event(5, 'custom:a')),
  });
  const session = testClient(url).session(ID, { after: 'epoch0:4' });
  const seen = new Promise<number>((resolve) => session.on('custom:a', ({ seq }) => resolve(seq)));
  await session.connect();
  expect(await seen).toBe(5);
  expect(subscriptions[0]?.data).toEqual({ after: 'epoch0:4' });
});

describe('what may be missing', () => {
  const from = (cursor: string) => {
    const sequence = new Sequence();
    sequence.reset(cursor);
    return (seq: number, event_type = 'text_delta', payload: object = {}) =>
      sequence.arrived(JSON.parse(event(seq, event_type, payload)).data as SessionEvent);
  };

  test('deltas that a completed message stands for', () => {
    const arrived = from('epoch0:1');
    expect(arrived(2)).toBe('next');
    expect(arrived(6, 'custom:a')).toBe('next');
    expect(arrived(9, 'message_completed', { replaces: { from_seq: 2, to_seq: 8 } })).toBe('next');
    expect(arrived(9)).toBe('seen');
    expect(arrived(10)).toBe('next');
  });

  test('nothing else', () => {
    const arrived = from('epoch0:1');
    expect(arrived(4)).toBe('next');
    expect(arrived(5, 'message_completed', {})).toBe('next');
    expect(arrived(6, 'message_completed', { replaces: { from_seq: 3, to_seq: 4 } })).toBe('gap');
    expect(arrived(7, 'message_completed', { replaces: { from_seq: 3, to_seq: 4 } })).toBe('next');
  });
});

test('what is missing without a reason is told like a place that is lost', async () => {
  const { url } = await startWireServer({
    subscribed: (socket) => {
      socket.send(event(5, 'custom:a'));
      const replaces = { from_seq: 3, to_seq: 4 };
      socket.send(event(6, 'message_completed', { message_id: 'm', role: 'assistant', parts: [], replaces }));
    },
  });
  const session = testClient(url).session(ID);
  const resync = new Promise((resolve) => session.on('resync', resolve));
  await session.connect();
  expect(await resync).toEqual({ cursor: 'epoch0:6' });
});

test('a place that the server does not understand any more is told like one that is lost', async () => {
  const { url, subscriptions } = await startWireServer({
    place: ({ data }, n) => ({
      cursor: n === 1 ? 'epoch0:7' : 'epoch1:2',
      resync_required: data.after === 'never',
    }),
    refuses: ({ data }) => (data.after === undefined ? null : 'INVALID_CURSOR'),
    subscribed: (socket, n) => n === 1 && socket.close(1012),
  });
  const session = testClient(url).session(ID);
  const resync = new Promise((resolve) => session.on('resync', resolve));
  await session.connect();
  expect(await resync).toEqual({ cursor: 'epoch1:2' });
  expect(subscriptions.map(({ data }) => data.after)).toEqual([undefined, 'epoch0:7', undefined]);
});
