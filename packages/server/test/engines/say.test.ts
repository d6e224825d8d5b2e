/** An engine that speaks without a model is heard like one that has a model. */
import { type EngineContext, messageText, say } from '@llmgine/api';
import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { promptOf, type TestRun, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

async function open(run: TestRun) {
  const { url, wsUrl, createSession } = await startApp({ apiFactory: testEngine(run) });
  const id = await createSession({ engine_type: 'TestEngine' });
  const messages = async () => (await call('GET', `${url}/api/sessions/${id}/messages`)).body.messages;
  return { messages, socket: await TestSocket.open(wsUrl(id)) };
}

const typesOf = (socket: TestSocket) => socket.events.map(({ event_type: type }) => type);

test('a text is a message: events while it happens, and part of the conversation', async () => {
  const { socket, messages } = await open(async (context) => {
    const message = await say(context, promptOf(context).toUpperCase(), { metadata: { mood: 'loud' } });
    return { text: messageText(message), message_id: message.message_id };
  });

  const { result } = await socket.run('prompt', { prompt: 'hello' });

  expect(result.text).toBe('HELLO');
  expect((await socket.findEvent('text_delta')).data.payload).toEqual({
    message_id: result.message_id,
    text: 'HELLO',
  });
  expect(typesOf(socket).filter((type) => /^(message|text)_/.test(type))).toEqual([
    // What the person said.
    'message_completed',
    'message_started',
    'text_delta',
    'message_completed',
  ]);
  expect((await messages()).at(-1)).toMatchObject({
    message_id: result.message_id,
    role: 'assistant',
    parts: [{ type: 'text', text: 'HELLO' }],
    metadata: { mood: 'loud' },
  });
});

test('pieces are heard one by one, before the last of them is there', async () => {
  const gate = testGate();
  async function* pieces() {
    yield 'first, ';
    yield '';
    await gate.pass();
    yield 'second';
  }
  const { socket, messages } = await open(async (context) => messageText(await say(context, pieces())));

  const done = socket.run('prompt', { prompt: 'x' });
  await gate.reached;
  expect((await socket.findEvent('text_delta')).data.payload.text).toBe('first, ');
  gate.open();

  expect((await done).result).toBe('first, second');
  expect(typesOf(socket).filter((type) => type === 'text_delta')).toHaveLength(2);
  expect((await messages()).at(-1).parts).toEqual([{ type: 'text', text: 'first, second' }]);
});

test('pieces that fail leave no message behind, and fail the run', async () => {
  async function* pieces() {
    yield 'half a ';
    throw new Error('no more');
  }
  const { socket, messages } = await open((context) => say(context, pieces()));

  expect(await socket.run('prompt', { prompt: 'x' })).toMatchObject({ status: 'failed' });

  expect((await messages()).map(({ role }: { role: string }) => role)).toEqual(['user']);
});

/** A context whose log is full after every delta. */
function fullContext(signal = new AbortController().signal) {
  const calls: string[] = [];
  const context = {
    runId: 'run',
    signal,
    emit: ({ event_type: type }: { event_type: string }) => {
      calls.push(type);
      return type !== 'text_delta';
    },
    drain: async () => void calls.push('drain'),
  };
  return { calls, context: context as unknown as EngineContext };
}

async function* letters(...all: string[]) {
  yield* all;
}

test('it waits when much is waiting to be committed', async () => {
  const { context, calls } = fullContext();

  await say(context, letters('a', 'b'));

  expect(calls).toEqual([
    'message_started',
    'text_delta',
    'drain',
    'text_delta',
    'drain',
    'message_completed',
    'drain',
  ]);
});

test('it stops when the run is stopped', async () => {
  const { context, calls } = fullContext(AbortSignal.abort(new Error('stopped')));

  await expect(say(context, letters('a', 'b'))).rejects.toThrow('stopped');

  expect(calls).toEqual(['message_started']);
});
