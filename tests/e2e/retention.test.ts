/** What is kept of a log, and what a client is told that comes back too late. */
import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { type StartOptions, startApp, type TestApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { type Frame, TestSocket } from '../helpers/ws-client.ts';

const PIECES = ['One ', 'two ', 'three ', 'four.'];

/** An engine that says four pieces; one prompted to wait stands at the gate after two of them. */
async function start(config: StartOptions['config']) {
  const gate = testGate();
  const apiFactory = testEngine(async (context) => {
    const message_id = `msg_${randomUUID()}`;
    say(context, message_id);
    for (const [n, text] of PIECES.entries()) {
      if (n === 2 && context.parameters.wait) await gate.pass();
      context.emit({ event_type: 'text_delta', payload: { message_id, text } });
      await context.drain();
    }
    context.emit({
      event_type: 'message_completed',
      payload: {
        message_id,
        role: 'assistant',
        run_id: context.runId,
        parts: [{ type: 'text', text: PIECES.join('') }],
        created_at: new Date().toISOString(),
        metadata: {},
      },
    });
    return null;
  });
  const app = await startApp({ config: { eventRetention: 0, eventCompaction: 3600, ...config }, apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const events = `${app.url}/api/sessions/${id}/events`;
  const types = async (): Promise<string[]> =>
    (await call('GET', events)).body.events.map(({ event_type }: { event_type: string }) => event_type);
  return { ...app, id, gate, events, types };
}

const seqOf = (cursor: string) => Number(cursor.split(':')[1]);

/** Resolves when a client that has seen the log up to this cursor has missed something that is gone. */
async function prunedAfter({ app }: TestApp, id: string, cursor: string): Promise<void> {
  const key = { tenantId: 'default', ownerId: 'operator', sessionId: id };
  const floor = async () => (await app.services.storage.readEvents(key, 0, 1))?.floorSeq ?? 0;
  await expect.poll(floor, { timeout: 10_000 }).toBeGreaterThan(seqOf(cursor));
}

// biome-ignore lint/suspicious/noExplicitAny: events of every type.
type Event = any;

/** The text of each message, as a client knows it that applies these events to what it has. */
function texts(events: readonly Event[], partial?: Event): Record<string, string> {
  const texts: Record<string, string> = {};
  const textOf = ({ parts }: Event) => parts.map(({ text }: { text: string }) => text).join('');
  if (partial) texts[partial.message_id] = textOf(partial);
  for (const { event_type, payload } of events) {
    if (event_type === 'text_delta')
      texts[payload.message_id] = (texts[payload.message_id] ?? '') + payload.text;
    if (event_type === 'message_completed') texts[payload.message_id] = textOf(payload);
  }
  return texts;
}

test('the deltas of a completed message go, the rest stays, and who resumes is told what stands for them', async () => {
  const { id, wsUrl, events, types } = await start({ eventCompaction: 0 });
  const live = await TestSocket.open(wsUrl(id));
  const from = (await live.request('subscribe')).data.cursor;

  await live.run('act', {});
  await expect
    .poll(types, { timeout: 10_000 })
    .toEqual([
      'engine_linked',
      'run_queued',
      'run_started',
      'message_started',
      'message_completed',
      'run_finished',
    ]);

  const back = await TestSocket.open(wsUrl(id));
  const subscribed = await back.request('subscribe', { after: from });
  await back.findEvent('run_finished');
  const stream = await TestStream.open(`${events}?after=${from}`);
  await stream.findEvent('run_finished');
  const page = (await call('GET', `${events}?after=${from}`)).body;

  // What was seen live is what is read later, without the deltas.
  const deltas = live.events.filter(({ event_type }) => event_type === 'text_delta');
  const kept = live.events.filter(({ event_type }) => event_type !== 'text_delta');
  expect(deltas.map(({ payload }) => payload.text).join('')).toBe(PIECES.join(''));
  expect(subscribed.data).toEqual({ cursor: from, resync_required: false });
  expect(back.events).toEqual(kept);
  expect(stream.events.map(({ data }) => data)).toEqual(kept);
  expect(page).toMatchObject({ events: kept, resync_required: false, has_more: false });

  // Everything that is missing is between the two ends of what the message says it replaces.
  const { replaces } = kept.find(({ event_type }) => event_type === 'message_completed')?.payload ?? {};
  const there = new Set(kept.map(({ seq }) => seq));
  const missing = live.events.map(({ seq }) => seq).filter((seq) => !there.has(seq));
  expect(missing).toEqual(deltas.map(({ seq }) => seq));
  for (const seq of missing) {
    expect(seq).toBeGreaterThanOrEqual(replaces.from_seq);
    expect(seq).toBeLessThanOrEqual(replaces.to_seq);
  }
  expect(texts(back.events)).toEqual(texts(live.events));
});

test('a client in the middle of the deltas goes on where it was, and ends with the same text', async () => {
  const { id, wsUrl, types } = await start({ eventCompaction: 0 });
  const live = await TestSocket.open(wsUrl(id));
  await live.run('act', {});
  await expect.poll(types, { timeout: 10_000 }).not.toContain('text_delta');
  const seen = live.events.slice(
    0,
    live.events.findIndex(({ event_type }) => event_type === 'text_delta') + 1,
  );

  const back = await TestSocket.open(wsUrl(id));
  const { data } = await back.request('subscribe', { after: seen.at(-1)?.cursor });
  await back.findEvent('run_finished');

  expect(data.resync_required).toBe(false);
  expect(texts([...seen, ...back.events])).toEqual(texts(live.events));
});

test('deltas of a message that is not complete stay, however old', async () => {
  const { id, wsUrl, gate, types } = await start({ eventCompaction: 0, eventRetention: 0.1 });
  const live = await TestSocket.open(wsUrl(id));
  const ended = live.run('act', { wait: true });
  await gate.reached;
  // What is older than the run goes.
  await expect.poll(types, { timeout: 10_000 }).not.toContain('engine_linked');

  expect(await types()).toEqual(['run_queued', 'run_started', 'message_started', 'text_delta', 'text_delta']);
  const { data } = await live.request('history');
  expect(data.partial_message.parts).toEqual([{ type: 'text', text: 'One two ' }]);
  gate.open();
  await ended;
});

test('messages live as long as the session: they outlive their events', async () => {
  const started = await start({ eventRetention: 0.2 });
  const { id, url, wsUrl } = started;
  const socket = await TestSocket.open(wsUrl(id));
  await socket.run('act', {});

  await expect.poll(started.types, { timeout: 10_000 }).toEqual([]);

  const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
  expect(messages).toMatchObject([{ role: 'assistant', parts: [{ type: 'text', text: PIECES.join('') }] }]);
});

test('who was away for longer than events are kept is told to resync, on every transport', async () => {
  const started = await start({ eventRetention: 0.2 });
  const { id, wsUrl, events } = started;
  const socket = await TestSocket.open(wsUrl(id));
  const away = (await socket.request('subscribe')).data.cursor as string;
  await socket.run('act', {});
  await expect.poll(started.types, { timeout: 10_000 }).toEqual([]);

  const back = await TestSocket.open(wsUrl(id));
  const { data: subscribed } = await back.request('subscribe', { after: away });
  const stream = await TestStream.open(events, { headers: { 'last-event-id': away } });
  const page = await call('GET', `${events}?after=${away}`);

  const head = (await back.request('history')).data.cursor;
  expect(subscribed).toEqual({ cursor: head, resync_required: true });
  expect((await stream.findEvent('resync_required')).data).toEqual({ cursor: head, resync_required: true });
  expect(page.body).toEqual({ events: [], cursor: head, has_more: false, resync_required: true });
  // From there on nothing is missing.
  await socket.request('event', { event_type: 'custom:now' });
  const now = await back.findEvent('custom:now');
  expect((await stream.findEvent('custom:now')).data).toEqual(now.data);
});

test('who is overtaken by the pruning while it reads is sent away, and told to resync when it comes back', async () => {
  const { app, id, wsUrl, events } = await start({});
  const { storage } = app.services;
  const socket = await TestSocket.open(wsUrl(id));
  const from = (await socket.request('subscribe')).data.cursor as string;
  /** The next reader finds its place, and nothing of what follows it. */
  const overtake = async () => {
    await socket.request('event', { event_type: 'custom:one' });
    const { readEvents } = storage;
    vi.spyOn(storage, 'readEvents').mockImplementationOnce(async (...parameters) => {
      const page = await readEvents.apply(storage, parameters);
      await storage.pruneEvents(Date.now() + 1, 1000);
      return page;
    });
  };

  await overtake();
  const stream = await TestStream.open(`${events}?after=${from}`);
  await stream.ended;
  const resumed = await TestStream.open(events, { headers: { 'last-event-id': stream.lastEventId ?? '' } });
  const { cursor } = (await resumed.findEvent('resync_required')).data;
  await resumed.close();
  await overtake();
  const slow = await TestSocket.open(wsUrl(id));
  const subscribed = await slow.request('subscribe', { after: cursor });
  const { code } = await slow.closed;
  const back = await TestSocket.open(wsUrl(id));
  const again = await back.request('subscribe', { after: cursor });

  expect([stream.lastEventId, stream.events]).toEqual([from, []]);
  expect(subscribed.data).toEqual({ cursor, resync_required: false });
  expect([code, slow.events]).toEqual([4009, []]);
  expect(again.data.resync_required).toBe(true);
});

test('after a resync, history and its cursor give the same text as if one had never left', async () => {
  const started = await start({ eventRetention: 0.2 });
  const { id, wsUrl, gate } = started;
  const stayed = await TestSocket.open(wsUrl(id));
  const away = (await stayed.request('subscribe')).data.cursor as string;
  await stayed.run('act', {});
  await prunedAfter(started, id, away);
  const second = stayed.run('act', { wait: true });
  await gate.reached;
  await stayed.find(() => stayed.events.filter(({ payload }) => payload.text === 'two ').length === 2);

  const back = await TestSocket.open(wsUrl(id));
  expect((await back.request('subscribe', { after: away })).data.resync_required).toBe(true);
  const { data: history }: Frame = await back.request('history');
  const again = await back.request('subscribe', { after: history.cursor });
  const before = back.events.length;
  gate.open();
  const { run_id } = await second;
  await back.findEvent('run_finished', run_id);

  expect(again.data).toEqual({ cursor: history.cursor, resync_required: false });
  expect(history.partial_message.parts).toEqual([{ type: 'text', text: 'One two ' }]);
  const known = Object.fromEntries(
    history.messages.map(({ message_id, parts }: Event) => [message_id, parts[0].text]),
  );
  const mine = { ...known, ...texts(back.events.slice(before), history.partial_message) };
  expect(mine).toEqual(texts(stayed.events));
  expect(Object.values(mine)).toEqual([PIECES.join(''), PIECES.join('')]);
});

test('a command that is older than what is kept is answered with its result, on every transport', async () => {
  const started = await start({ eventRetention: 0.2 });
  const { id, url, wsUrl } = started;
  const body = { command: 'act', parameters: {}, run_id: randomUUID() };
  const commands = `${url}/api/sessions/${id}/commands`;
  const first = await call('POST', commands, body);
  await expect.poll(started.types, { timeout: 10_000 }).toEqual([]);

  const socket = await TestSocket.open(wsUrl(id));
  const overSocket = await socket.run('act', {}, { run_id: body.run_id });
  const stream = await TestStream.open(commands, { method: 'POST', body });
  await stream.ended;

  expect([overSocket, (await call('POST', commands, body)).body]).toEqual([first.body, first.body]);
  expect(socket.events).toEqual([]);
  expect(stream.events.map(({ event }) => event)).toEqual(['resync_required', 'command_result']);
  expect(stream.events.at(-1)?.data).toEqual(first.body);
});
