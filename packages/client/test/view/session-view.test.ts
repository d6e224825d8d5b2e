import type { History, SessionEvent } from '@llmgine/protocol';
import { expect, onTestFinished, test } from 'vitest';
import { startProxy } from '../../../../tests/faults/tcp-proxy.ts';
import { startApp } from '../../../../tests/helpers/app.ts';
import type { SessionState } from '../../src/connection/types.ts';
import { SessionView } from '../../src/index.ts';
import type { SessionLike, ViewSnapshot } from '../../src/view/types.ts';
import { testClient } from '../helpers.ts';

/** Resolves with the first snapshot for which this holds. */
function when(view: SessionView, holds: (snapshot: ViewSnapshot) => boolean): Promise<ViewSnapshot> {
  return new Promise((resolve) => {
    const look = () => {
      const snapshot = view.snapshot();
      if (!holds(snapshot)) return;
      off();
      resolve(snapshot);
    };
    const off = view.subscribe(look);
    look();
  });
}

async function open(options: { pageSize?: number } = {}) {
  const { url } = await startApp();
  const client = testClient(url);
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);
  const watch = (more = options) => {
    const view = new SessionView(client.session(session_id), {
      loadEngine: () => client.sessions.engine(session_id),
      ...more,
    });
    onTestFinished(() => view.close());
    return view;
  };
  return { client, session, session_id, watch };
}

const texts = ({ messages }: ViewSnapshot) =>
  messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])));

test('a view that comes first and one that comes in the middle show the same, and so does one that comes late', async () => {
  const { session, watch } = await open();
  const first = watch();
  await when(first, ({ status }) => status === 'ready');
  const run = session.prompt('What is 6 * 7?');
  await when(first, ({ messages }) => messages.some(({ streaming }) => streaming));
  const middle = watch();
  await run.result;
  const late = watch();

  const done = (snapshot: ViewSnapshot) =>
    snapshot.engine !== undefined &&
    texts(snapshot).some((text) => text.includes('42')) &&
    !snapshot.messages.some(({ streaming }) => streaming);
  const [one, two, three] = await Promise.all([when(first, done), when(middle, done), when(late, done)]);
  const plain = ({ messages }: ViewSnapshot) => messages.map(({ tool_calls, ...message }) => message);
  expect(plain(two)).toEqual(plain(one));
  expect(plain(three)).toEqual(plain(one));
  expect(one.engine).toMatchObject({ engine_type: 'ToolChatEngine' });
});

test('older messages are loaded page by page until there are none', async () => {
  const { session, watch } = await open();
  for (const prompt of ['one', 'two', 'three']) await session.prompt(prompt).result;
  const view = watch({ pageSize: 2 });
  await when(view, ({ status }) => status === 'ready');
  expect(view.snapshot().hasOlder).toBe(true);

  // Two at once are one.
  await Promise.all([view.loadOlder(), view.loadOlder()]);
  const partly = await when(view, ({ messages }) => messages.length > 2);
  expect(partly.messages).toHaveLength(4);
  while (view.snapshot().hasOlder) {
    await view.loadOlder();
    await Promise.resolve();
  }

  const { messages } = (await session.history()) satisfies History;
  expect(view.snapshot().messages.map(({ message_id }) => message_id)).toEqual(
    messages.map(({ message_id }) => message_id),
  );
});

test('what is asked is there until it is answered, for who was there and for who comes later', async () => {
  const { session, watch } = await open();
  await session.link('ToolChatEngine', { approval: ['calculate'] });
  const early = watch();
  const run = session.prompt('What is 6 * 7?');
  const asked = ({ requests }: ViewSnapshot) => requests.length > 0;
  const { requests, runs } = await when(early, asked);
  const late = await when(watch(), asked);

  expect(requests).toMatchObject([{ kind: 'approval', tool_name: 'calculate', run_id: run.runId }]);
  expect(late.requests.map(({ request_id }) => request_id)).toEqual(
    requests.map(({ request_id }) => request_id),
  );
  expect(runs.at(-1)).toMatchObject({ run_id: run.runId, status: 'awaiting_input' });
  await session.answer(requests[0]!.request_id, { outcome: 'approved' });
  const after = await when(early, ({ runs: [last] }) => last?.status === 'completed');
  expect(after.requests).toEqual([]);
});

test('a view behind a network that is cut again and again shows in the end what one without cuts shows', async () => {
  const { url } = await startApp({ config: { model: 'demo' } });
  const port = Number(new URL(url).port);
  const proxy = await startProxy({ host: '127.0.0.1', port });
  const client = testClient(url);
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);
  const view = new SessionView(testClient(`http://127.0.0.1:${proxy.port}`).session(session_id));
  onTestFinished(() => view.close());
  await when(view, ({ status }) => status === 'ready');
  const seen: string[][] = [];
  view.subscribe(() => seen.push(view.snapshot().messages.map(({ message_id }) => message_id)));

  // Each connection dies on its way, some of them before they have said anything.
  const run = session.prompt('What is 6 * 7?');
  for await (const { event_type } of run) if (event_type === 'text_delta') proxy.cut();
  await session.prompt('And 7 * 8?').result;

  const { messages } = await session.history();
  const whole = (snapshot: ViewSnapshot) =>
    snapshot.messages.length === messages.length && !snapshot.messages.some(({ streaming }) => streaming);
  const shown = await when(view, whole);
  expect(shown.messages.map(({ tool_calls, streaming, ...message }) => message)).toEqual(messages);
  for (const ids of seen) expect(new Set(ids).size).toBe(ids.length);
  expect(proxy.accepted).toBeGreaterThan(2);
});

/** A session whose history and events the test gives by hand, in any order. */
class HandSession implements SessionLike {
  readonly id = 's';
  state: SessionState = 'open';
  asked: PromiseWithResolvers<History>[] = [];
  #onEvent: (event: SessionEvent) => void = () => {};
  #onState: (state: SessionState) => void = () => {};
  #onResync: () => void = () => {};

  connect = () => Promise.resolve();
  on(type: string, listener: never) {
    if (type === '*') this.#onEvent = listener;
    else this.#onResync = listener;
    return () => {};
  }
  onState(listener: (state: SessionState) => void) {
    this.#onState = listener;
    return () => {};
  }
  history() {
    const answer = Promise.withResolvers<History>();
    this.asked.push(answer);
    return answer.promise;
  }
  tell(seq: number, text = `${seq}`, epoch = 'aaaa') {
    this.#onEvent({
      event_type: 'message_completed',
      seq,
      cursor: `${epoch}:${seq}`,
      created_at: '2026-01-01T00:00:00.000Z',
      payload: message(`m${seq}`, text),
    });
  }
  resync() {
    this.#onResync();
  }
  become(state: SessionState) {
    this.state = state;
    this.#onState(state);
  }
  /** Answers the call that waits longest. */
  answer(seq: number, ids: readonly string[], epoch = 'aaaa') {
    this.asked.shift()?.resolve({
      messages: ids.map((id) => message(id, id.slice(1))),
      next: null,
      cursor: `${epoch}:${seq}`,
      runs: [],
      partial_message: null,
      pending_requests: [],
    });
  }
}

function message(message_id: string, text: string) {
  return {
    message_id,
    role: 'user' as const,
    run_id: null,
    parts: [{ type: 'text' as const, text }],
    created_at: '2026-01-01T00:00:00.000Z',
    metadata: {},
  };
}

function byHand() {
  const session = new HandSession();
  return { session, view: new SessionView(session) };
}

test('events that come before the history are there once', async () => {
  const { session, view } = byHand();
  session.tell(1);
  session.tell(2);
  session.tell(3);
  session.answer(2, ['m1', 'm2']);

  expect(texts(await when(view, ({ messages }) => messages.length > 2))).toEqual(['1', '2', '3']);
});

test('where events are missing the history is loaded anew, and what is shown stays meanwhile', async () => {
  const { session, view } = byHand();
  session.answer(1, ['m1']);
  const before = await when(view, ({ messages }) => messages.length === 1);
  session.tell(4);
  expect(session.asked).toHaveLength(1);
  expect(view.snapshot().messages).toBe(before.messages);
  session.tell(5);
  session.answer(4, ['m1', 'm2', 'm3', 'm4']);

  const after = await when(view, ({ messages }) => messages.length === 5);
  expect(texts(after)).toEqual(['1', '2', '3', '4', '5']);
  // Nothing is drawn again that was there.
  expect(after.messages[0]).toBe(before.messages[0]);
  expect(session.asked).toHaveLength(0);
});

test('a resync loads the history anew, and another epoch is another conversation', async () => {
  const { session, view } = byHand();
  session.answer(2, ['m1', 'm2']);
  await when(view, ({ messages }) => messages.length === 2);
  session.resync();
  session.answer(3, ['m1', 'm2', 'm3']);
  await when(view, ({ messages }) => messages.length === 3);

  session.tell(1, 'other', 'bbbb');
  session.answer(1, ['x1'], 'bbbb');
  expect(texts(await when(view, ({ messages }) => messages.length === 1))).toEqual(['1']);
});

test('a history that cannot be had is an error, until there is a connection again', async () => {
  const { session, view } = byHand();
  session.asked.shift()?.reject(new Error('no'));
  const failed = await when(view, ({ status }) => status === 'error');
  expect(failed.error).toEqual(new Error('no'));
  session.become('reconnecting');
  expect((await when(view, ({ connection }) => connection === 'reconnecting')).status).toBe('error');
  session.become('open');
  session.answer(1, ['m1']);

  expect(await when(view, ({ status }) => status === 'ready')).toMatchObject({
    error: null,
    connection: 'open',
  });
});

test('many events are told once, and after it is closed none', async () => {
  const { session, view } = byHand();
  session.answer(0, []);
  await when(view, ({ status }) => status === 'ready');
  let told = 0;
  view.subscribe(() => told++);
  const before = view.snapshot();
  for (let seq = 1; seq <= 100; seq++) session.tell(seq);
  expect(view.snapshot()).toBe(before);
  await Promise.resolve();
  expect(told).toBe(1);
  expect(view.snapshot().messages).toHaveLength(100);

  view.close();
  session.tell(101);
  await Promise.resolve();
  expect(told).toBe(1);
  expect(view.snapshot().messages).toHaveLength(100);
});

test('events of a log that is gone do not make it ask again and again', async () => {
  const { session, view } = byHand();
  session.tell(1);
  session.tell(2);
  // The server was restored from a backup while the history was on its way.
  session.resync();
  session.answer(1, ['x1'], 'bbbb');
  const after = await when(view, ({ status }) => status === 'ready');
  expect(texts(after)).toEqual(['1']);
  expect(session.asked).toHaveLength(0);
  session.tell(2, 'next', 'bbbb');
  expect(texts(await when(view, ({ messages }) => messages.length === 2))).toEqual(['1', 'next']);
});
