/** `context.session`: what a handler does with its session. */
import {
  BaseHandler,
  defineMessage,
  defineTool,
  ExtensibleAPIFactory,
  type HandlerContext,
  type MessageFunction,
  messageText,
} from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

const Do = defineMessage('do', z.object({}));

async function withHandler(
  handle: (context: HandlerContext) => Promise<object>,
  body: object | undefined = { engine_type: 'ToolChatEngine' },
) {
  const act: MessageFunction<InstanceType<typeof Do>> = async (_message, context) => ({
    type: 'done',
    data: await handle(context),
  });
  const server = await startApp({ apiFactory: new ExtensibleAPIFactory().registerMessage(Do, act) });
  const id = await server.createSession(body);
  return { ...server, id, socket: await TestSocket.open(server.wsUrl(id)) };
}

test('run gives the engine a command and waits for its end; whoever follows the session sees it', async () => {
  const { wsUrl, id, socket } = await withHandler(({ session }) =>
    session.run('prompt', { prompt: 'what is 6 * 7?' }),
  );
  const other = await TestSocket.open(wsUrl(id));
  await other.request('subscribe');

  const { data } = await socket.request('do');

  expect(data).toMatchObject({ status: 'completed', result: { text: expect.stringContaining('42') } });
  expect((await other.findEvent('run_finished')).data.run_id).toBe(data.run_id);
});

test('the connection of the handler itself gets no events that it did not ask for', async () => {
  const { socket } = await withHandler(({ session }) => session.run('prompt', { prompt: 'hello' }));

  await socket.request('do');

  expect(socket.frames.map(({ type }) => type)).toEqual(['done']);
});

test('the same run id is the same run', async () => {
  const runId = '7c0e8c5e-1111-4000-8000-000000000000';
  const { socket } = await withHandler(async ({ session }) => {
    const first = await session.run('prompt', { prompt: 'hello' }, { runId });
    const second = await session.run('prompt', { prompt: 'hello' }, { runId });
    return { first, second, messages: (await session.messages()).length };
  });

  const { data } = await socket.request('do');

  expect(data.second).toEqual(data.first);
  expect(data.messages).toBe(2);
});

test('what runs wait for is found and answered', async () => {
  const apiFactory = new ExtensibleAPIFactory()
    .registerTool(
      defineTool({
        name: 'launch',
        description: 'Launches',
        parameters: z.object({}),
        approval: true,
        execute: () => 'launched',
      }),
    )
    .registerMessage(Do, async (_message, { session }) => {
      const [request] = await session.pendingRequests();
      if (!request) throw new Error('nothing is pending');
      await session.answer(request.request_id, { outcome: 'approved' });
      const left = await session.pendingRequests();
      return { type: 'done', data: { asked: request.tool_name, left: left.length } };
    });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  const run = socket.run('prompt', { prompt: 'call launch' });
  await socket.findEvent('input_requested');

  const { data } = await socket.request('do');

  expect(data).toEqual({ asked: 'launch', left: 0 });
  expect((await run).result.text).toContain('launched');
});

test('messages are the conversation, oldest first', async () => {
  const { socket } = await withHandler(async ({ session }) => {
    await session.run('prompt', { prompt: 'hello' });
    return { texts: (await session.messages()).map((message) => [message.role, messageText(message)]) };
  });

  const { data } = await socket.request('do');

  expect(data.texts).toEqual([
    ['user', 'hello'],
    ['assistant', expect.stringContaining('You said: "hello"')],
  ]);
});

test('linkEngine links another engine and engine says which', async () => {
  const { socket } = await withHandler(async ({ session }) => {
    const linked = await session.linkEngine('SinglePassEngine', { temperature: 0.5 });
    return { linked, engine: await session.engine() };
  });

  const { data } = await socket.request('do');

  expect(data.engine).toEqual({
    engineId: data.linked.engine_id,
    engineType: 'SinglePassEngine',
    config: { temperature: 0.5 },
    status: 'running',
  });
});

test.each<[string, (context: HandlerContext) => Promise<object>, string]>([
  ['an unknown command', ({ session }) => session.run('sing'), 'UNKNOWN_COMMAND'],
  ['wrong parameters', ({ session }) => session.run('prompt', { prompt: 7 }), 'VALIDATION_ERROR'],
  ['a run id that is none', ({ session }) => session.run('prompt', {}, { runId: 'x' }), 'VALIDATION_ERROR'],
  ['an unknown engine', ({ session }) => session.linkEngine('NoEngine'), 'INVALID_ENGINE_TYPE'],
])('%s is told to the client with its code', async (_what, handle, code) => {
  const { socket } = await withHandler(handle);

  expect(await socket.request('do')).toMatchObject({ type: 'error', data: { code } });
});

test('without an engine a command is ENGINE_NOT_LINKED', async () => {
  const { wsUrl, createSession } = await withHandler(({ session }) => session.run('prompt', { prompt: 'x' }));
  const socket = await TestSocket.open(wsUrl(await createSession()));

  expect((await socket.request('do')).data.code).toBe('ENGINE_NOT_LINKED');
});

test('publish is durable and idempotent by its event id', async () => {
  const { url, id, socket } = await withHandler(async ({ session }) => ({
    first: await session.publish('custom:note', { text: 'milk' }, 'note-1'),
    again: await session.publish('custom:note', { text: 'milk' }, 'note-1'),
  }));

  const { data } = await socket.request('do');

  expect(data.again).toEqual(data.first);
  const page = (await (await fetch(`${url}/api/sessions/${id}/events`)).json()) as {
    events: { event_type: string; cursor: string; payload: object }[];
  };
  expect(page.events.filter(({ event_type: type }) => type === 'custom:note')).toMatchObject([
    { cursor: data.first.cursor, payload: { text: 'milk' } },
  ]);
});

test('a handler that waits for a run is told when its time is up; the run goes on', async () => {
  class Slow extends BaseHandler {
    readonly messageType = 'do';
    readonly requestModel = Do;
    async handle(_message: unknown, { session, signal }: HandlerContext) {
      const data = await session.run('prompt', { prompt: 'write 20 words' }, { signal });
      return { type: 'done', data };
    }
  }
  const { url, wsUrl, createSession } = await startApp({
    apiFactory: new ExtensibleAPIFactory().registerCustomHandler('do', Slow),
    config: { handlerTimeout: 0.05, model: 'demo:demo' },
  });
  const id = await createSession({ engine_type: 'SinglePassEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const watcher = await TestSocket.open(wsUrl(id));
  await watcher.request('subscribe');

  const { data } = await socket.request('do');

  expect(data).toMatchObject({ code: 'WEBSOCKET_ERROR', message: '"do" took longer than 0.05 seconds' });
  expect((await watcher.findEvent('run_finished')).data.payload.status).toBe('completed');
  const { runs } = (await (await fetch(`${url}/api/sessions/${id}/runs`)).json()) as { runs: object[] };
  expect(runs).toMatchObject([{ status: 'completed' }]);
});
