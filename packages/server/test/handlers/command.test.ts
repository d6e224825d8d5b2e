import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { startApp, type TestApp } from '../../../../tests/helpers/app.ts';
import { promptOf, say, type TestGate, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol, sequence } from './frames.ts';

/** Runs say their prompt; those whose prompt names a gate wait for it in the middle. */
async function start(gates: Record<string, TestGate> = {}) {
  const apiFactory = testEngine(async (context) => {
    const prompt = promptOf(context);
    say(context, `m-${prompt}`, prompt);
    await gates[prompt]?.pass();
    return { said: prompt };
  });
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  return { ...app, id, open: () => TestSocket.open(app.wsUrl(id)) };
}

const prompt = (text: string, options: object = {}) => ({
  command: 'prompt',
  parameters: { prompt: text },
  ...options,
});

const seqOf = (cursor: string) => Number(cursor.split(':')[1]);

/** How many readers the log has; none may outlive its connection. */
function countReaders({ app }: TestApp): () => number {
  const { cluster } = app.services;
  const subscribe = cluster.subscribe;
  let readers = 0;
  cluster.subscribe = (sessionId, listener) => {
    const leave = subscribe(sessionId, listener);
    readers++;
    let left = false;
    return () => {
      if (!left) readers--;
      left = true;
      leave();
    };
  };
  return () => readers;
}

test('command_accepted, the events of the run from its cursor on, and exactly one command_result at last', async () => {
  const { open } = await start();
  const socket = await open();
  const accepted = await socket.request('command', prompt('hello'));
  const result = await socket.findType('command_result');
  expect(accepted).toEqual({
    type: 'command_accepted',
    message_id: accepted.message_id,
    data: { run_id: expect.any(String), cursor: expect.any(String), position: 0 },
  });
  expect(result).toEqual({
    type: 'command_result',
    message_id: accepted.message_id,
    data: {
      run_id: accepted.data.run_id,
      status: 'completed',
      result: { said: 'hello' },
      usage: null,
      error: null,
    },
  });
  await socket.request('ping');
  expect(sequence(socket)).toEqual([
    'command_accepted',
    'run_queued',
    'message_completed',
    'run_started',
    'message_started',
    'text_delta',
    'message_discarded',
    'run_finished',
    'command_result',
    'pong',
  ]);
  const after = seqOf(accepted.data.cursor);
  expect(socket.events.map(({ seq }) => seq)).toEqual(socket.events.map((_, n) => after + 1 + n));
  expectProtocol(socket);
});

test('the connection goes on seeing the session after its command', async () => {
  const { open } = await start();
  const [first, second] = [await open(), await open()];
  await first.run('prompt', { prompt: 'one' });
  await second.run('prompt', { prompt: 'two' });
  await first.find(({ data }) => data.event_type === 'run_finished' && data.payload.result.said === 'two');
  expect(first.events.map(({ seq }) => seq)).toEqual(first.events.map((_, n) => first.events[0].seq + n));
});

test('with "stream": false there is the result and no event', async () => {
  const { open } = await start();
  const [quiet, other] = [await open(), await open()];
  expect(await quiet.run('prompt', { prompt: 'one' }, { stream: false })).toMatchObject({
    status: 'completed',
  });
  await other.run('prompt', { prompt: 'two' });
  await quiet.request('ping');
  expect(sequence(quiet)).toEqual(['command_accepted', 'command_result', 'pong']);
});

test('a streamed command after a silent one shows what comes from its own cursor on', async () => {
  const gates = { silent: testGate() };
  const { open } = await start(gates);
  const socket = await open();
  const silent = socket.run('prompt', { prompt: 'silent' }, { stream: false });
  await gates.silent.reached;
  const accepted = await socket.request('command', prompt('loud'));
  expect(accepted.data.position).toBe(1);
  gates.silent.open();
  expect((await silent).result).toEqual({ said: 'silent' });
  await socket.find(({ type, data }) => type === 'command_result' && data.run_id === accepted.data.run_id);
  const seqs = socket.events.map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, n) => seqOf(accepted.data.cursor) + 1 + n));
  expect(sequence(socket).filter((type) => type === 'command_result')).toHaveLength(2);
});

test('a silent command on a connection that follows the session does not silence it', async () => {
  const { open } = await start();
  const socket = await open();
  await socket.request('subscribe');
  await socket.run('prompt', { prompt: 'x' }, { stream: false });
  expect(sequence(socket)).toContain('run_finished');
});

test.each<[string, object, string, string]>([
  ['no command', {}, 'VALIDATION_ERROR', 'data.command'],
  ['an unknown command', { command: 'dance' }, 'UNKNOWN_COMMAND', 'dance'],
  ['a name of every object', { command: 'constructor' }, 'UNKNOWN_COMMAND', 'constructor'],
  ['no prompt', { command: 'prompt' }, 'VALIDATION_ERROR', 'parameters.prompt'],
  ['an empty prompt', prompt(''), 'VALIDATION_ERROR', 'parameters.prompt'],
  [
    'a prompt that is a number',
    { command: 'prompt', parameters: { prompt: 7 } },
    'VALIDATION_ERROR',
    'parameters.prompt',
  ],
  [
    'parameters that are a text',
    { command: 'prompt', parameters: 'x' },
    'VALIDATION_ERROR',
    'data.parameters',
  ],
  ['a run_id that is no UUID', prompt('x', { run_id: 'mine' }), 'VALIDATION_ERROR', 'data.run_id'],
  ['a conflict that is none', prompt('x', { on_conflict: 'fight' }), 'VALIDATION_ERROR', 'data.on_conflict'],
])('%s is refused, and nothing comes of it', async (_, data, code, text) => {
  const { open, app, id } = await start();
  const socket = await open();
  const answer = await socket.request('command', data);
  expect(answer).toMatchObject({ type: 'error', data: { code } });
  expect(JSON.stringify(answer.data)).toContain(text);
  expect((await socket.request('history')).data).toMatchObject({ messages: [], runs: [] });
  expect(app.messaging.connections(id)).toHaveLength(1);
});

test('on_conflict: a second command waits, is rejected, or takes the place', async () => {
  const gates = { first: testGate() };
  const { open } = await start(gates);
  const socket = await open();
  const first = socket.run('prompt', { prompt: 'first' });
  await gates.first.reached;
  const waiting = await socket.request('command', prompt('waiting'));
  expect(waiting.data.position).toBe(1);
  expect((await socket.request('command', prompt('rejected', { on_conflict: 'reject' }))).data.code).toBe(
    'RUN_IN_PROGRESS',
  );
  expect(await socket.run('prompt', { prompt: 'urgent' }, { on_conflict: 'interrupt' })).toMatchObject({
    status: 'completed',
    result: { said: 'urgent' },
  });
  expect((await first).status).toBe('cancelled');
  const { data } = await socket.find(
    (frame) => frame.type === 'command_result' && frame.message_id === waiting.message_id,
  );
  expect(data).toMatchObject({ status: 'cancelled', result: null });
});

test('a command that is sent again on a connection that follows the session: one result for each frame', async () => {
  const gates = { x: testGate() };
  const { open } = await start(gates);
  const socket = await open();
  const command = prompt('x', { run_id: randomUUID() });
  for (const id of ['a', 'b', 'c']) socket.send({ type: 'command', message_id: id, data: command });
  await gates.x.reached;
  gates.x.open();
  for (const id of ['a', 'b', 'c']) {
    await socket.find(({ type, message_id }) => type === 'command_result' && message_id === id);
  }
  socket.send({ type: 'command', message_id: 'd', data: command });
  await socket.find(({ type, message_id }) => type === 'command_result' && message_id === 'd');
  await socket.request('ping');
  const results = socket.frames.filter(({ type }) => type === 'command_result');
  expect(results.map(({ message_id }) => message_id)).toEqual(['a', 'b', 'c', 'd']);
  expect(sequence(socket).filter((type) => type === 'run_finished')).toHaveLength(1);
});

test.each([true, false])('a finished command sent again elsewhere, streamed: %s', async (stream) => {
  const { open } = await start();
  const command = prompt('x', { run_id: randomUUID() });
  const first = await open();
  await first.run('prompt', { prompt: 'x' }, command);
  const second = await open();
  expect(await second.run('prompt', { prompt: 'x' }, { ...command, stream })).toMatchObject({
    result: { said: 'x' },
  });
  await second.request('ping');
  const types = sequence(second);
  expect(types.slice(-2)).toEqual(['command_result', 'pong']);
  expect(types.slice(1, -2)).toEqual(stream ? first.events.map(({ event_type }) => event_type) : []);
});

test('a socket that drops ends no run, and leaves no reader of the log behind', async () => {
  const gates = { x: testGate() };
  const app = await start(gates);
  const readers = countReaders(app);
  const [dropped, watching] = [await app.open(), await app.open()];
  await watching.request('subscribe');
  // Gone before the command is accepted.
  dropped.send({ type: 'command', data: prompt('x') });
  dropped.send({ type: 'command', data: prompt('y') });
  dropped.ws.terminate();
  await gates.x.reached;
  gates.x.open();
  const finished = await watching.findEvent('run_finished');
  expect(finished.data.payload).toMatchObject({ status: 'completed', result: { said: 'x' } });
  await vi.waitFor(() => expect(readers()).toBe(1));
  await watching.close();
  await vi.waitFor(() => expect(readers()).toBe(0));
});

test('results of commands are owed after unsubscribe, and the reader goes with the last of them', async () => {
  const gates = { x: testGate() };
  const app = await start(gates);
  const readers = countReaders(app);
  const socket = await app.open();
  const result = socket.run('prompt', { prompt: 'x' });
  await gates.x.reached;
  expect((await socket.request('unsubscribe')).data).toEqual({});
  const seen = socket.events.length;
  gates.x.open();
  expect((await result).status).toBe('completed');
  expect(socket.events).toHaveLength(seen);
  expect(readers()).toBe(0);
});

test('cancel ends the run, its result says so, and again is the same', async () => {
  const gates = { x: testGate() };
  const { open } = await start(gates);
  const socket = await open();
  const result = socket.run('prompt', { prompt: 'x' });
  await gates.x.reached;
  const run = (await socket.findType('command_accepted')).data.run_id;
  const cancelled = await socket.request('cancel');
  expect(cancelled).toMatchObject({ type: 'cancelled', data: { run_id: run } });
  expect(await result).toMatchObject({ run_id: run, status: 'cancelled', error: null });
  expect(await socket.request('cancel', { run_id: run })).toMatchObject({
    type: 'cancelled',
    data: { run_id: run },
  });
  expect((await socket.request('cancel')).data.code).toBe('RUN_NOT_FOUND');
  expect((await socket.request('cancel', { run_id: randomUUID() })).data.code).toBe('RUN_NOT_FOUND');
  expect((await socket.request('cancel', { run_id: 'x' })).data.code).toBe('VALIDATION_ERROR');
  expectProtocol(socket);
});

test('a command that took too long to accept is answered once: its run goes on unseen', async () => {
  const slow = testGate();
  const { app, id, wsUrl } = await (async () => {
    const started = await startApp({
      apiFactory: testEngine(() => 'done'),
      config: { handlerTimeout: 0.05 },
    });
    return { ...started, id: await started.createSession({ engine_type: 'TestEngine' }) };
  })();
  const { log } = app.services;
  const append = log.append.bind(log);
  let held = false;
  log.append = async (...parameters) => {
    if (!held) {
      held = true;
      await slow.pass();
    }
    return append(...parameters);
  };
  const [socket, watching] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  await watching.request('subscribe');
  expect((await socket.request('command', prompt('x'))).data.code).toBe('WEBSOCKET_ERROR');
  slow.open();
  await watching.findEvent('run_finished');
  await socket.request('ping');
  expect(sequence(socket)).toEqual(['error', 'pong']);
});
