import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { say, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol } from './frames.ts';

test('an empty session has an empty history', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  expect((await socket.request('history')).data).toEqual({
    messages: [],
    next: null,
    cursor: expect.any(String),
    runs: [],
    partial_message: null,
    pending_requests: [],
  });
  expectProtocol(socket);
});

test('pages go back from the newest, and together they are the conversation, also while it grows', async () => {
  const { wsUrl, createSession } = await startApp({ apiFactory: testEngine(() => null) });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
  for (let n = 0; n < 10; n++) await socket.run('prompt', { prompt: `prompt ${n}` });
  const pages: string[][] = [];
  let before: string | undefined;
  do {
    const { data } = await socket.request('history', { limit: 4, ...(before ? { before } : {}) });
    pages.unshift(data.messages.map(({ parts }: { parts: { text: string }[] }) => parts[0]?.text));
    before = data.next ?? undefined;
    await socket.run('prompt', { prompt: 'later' });
  } while (before);
  expect(pages.map(({ length }) => length)).toEqual([2, 4, 4]);
  expect(pages.flat()).toEqual(Array.from({ length: 10 }, (_, n) => `prompt ${n}`));
});

test.each([
  ['limit 0', { limit: 0 }, 'VALIDATION_ERROR'],
  ['limit 1001', { limit: 1001 }, 'VALIDATION_ERROR'],
  ['half a message', { limit: 1.5 }, 'VALIDATION_ERROR'],
  ['a page that is none', { before: 'yesterday' }, 'INVALID_CURSOR'],
  ['an empty page', { before: '' }, 'VALIDATION_ERROR'],
])('%s is refused', async (_, data, code) => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  expect((await socket.request('history', data)).data.code).toBe(code);
});

test('what is half said is a partial message, and its run is there', async () => {
  const gate = testGate();
  const apiFactory = testEngine(async (context) => {
    say(context, 'answer', 'Once upon ', 'a time');
    await context.drain();
    await gate.pass();
    return null;
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
  const accepted = await socket.request('command', { command: 'prompt', parameters: { prompt: 'tell' } });
  await gate.reached;
  const { data } = await socket.request('history');
  expect(data.messages).toHaveLength(1);
  expect(data.partial_message).toMatchObject({
    message_id: 'answer',
    role: 'assistant',
    run_id: accepted.data.run_id,
    parts: [{ type: 'text', text: 'Once upon a time' }],
    metadata: { incomplete: true },
  });
  expect(data.runs).toMatchObject([{ run_id: accepted.data.run_id, status: 'running', command: 'prompt' }]);
  expectProtocol(socket);
});

test('whoever joins in the middle, from the history and then its cursor, reads the same as who never left', async () => {
  const PIECES = 400;
  const text = Array.from({ length: PIECES }, (_, n) => `${n} `).join('');
  const joined: Promise<string>[] = [];
  const apiFactory = testEngine(async (context) => {
    say(context, 'answer');
    for (let n = 0; n < PIECES; n++) {
      context.emit({ event_type: 'text_delta', payload: { message_id: 'answer', text: `${n} ` } });
      // Once it is connected, a client reads the history and subscribes while the run goes on.
      if (n % 25 === 0) joined.push(join(await TestSocket.open(url)));
      await new Promise(setImmediate);
    }
    const parts = [{ type: 'text' as const, text }];
    const message = { message_id: 'answer', role: 'assistant' as const, run_id: null, parts };
    context.emit({
      event_type: 'message_completed',
      payload: { ...message, created_at: new Date().toISOString(), metadata: {} },
    });
    return null;
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const url = wsUrl(await createSession({ engine_type: 'TestEngine' }));

  /** The text of the answer, as this client puts it together. */
  const join = async (socket: TestSocket) => {
    const { data } = await socket.request('history');
    const said: string = data.partial_message?.parts[0]?.text ?? '';
    await socket.request('subscribe', { after: data.cursor });
    if (data.runs.length > 0) await socket.findEvent('run_finished');
    const seqs = socket.events.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, n) => Number(data.cursor.split(':')[1]) + 1 + n));
    // Whoever came after its end finds the whole message.
    return data.messages[1]?.parts[0].text ?? said + deltasOf(socket);
  };

  const watching = await TestSocket.open(url);
  await watching.run('prompt', { prompt: 'count' });
  expect(deltasOf(watching)).toBe(text);
  expect(await Promise.all(joined)).toEqual(Array(16).fill(text));
});

function deltasOf({ events }: TestSocket): string {
  const deltas = events.filter(({ event_type }) => event_type === 'text_delta');
  return deltas.map(({ payload }) => payload.text).join('');
}
