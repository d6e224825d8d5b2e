/** Custom messages on a running server: validated, documented, and harmless when their code fails. */
import {
  ApiError,
  BaseHandler,
  defineMessage,
  ExtensibleAPIFactory,
  type MessageFunction,
  type WSMessage,
} from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from './log-lines.ts';

const Request = defineMessage(
  'custom_request',
  z.object({ custom_data: z.string().max(10), nested: z.object({ count: z.int() }).optional() }),
  { description: 'Processes data' },
);
const Response = defineMessage('custom_response', z.object({ result: z.string() }));

type Handle = MessageFunction<InstanceType<typeof Request>>;

async function connect(handle: Handle, options: Parameters<typeof startApp>[0] = {}) {
  const apiFactory = new ExtensibleAPIFactory().registerMessage(Request, handle, { response: Response });
  const { app, url, wsUrl, createSession } = await startApp({ ...options, apiFactory });
  const sessionId = await createSession();
  return { app, url, wsUrl, sessionId, socket: await TestSocket.open(wsUrl(sessionId)) };
}

const answer: Handle = ({ data }) => new Response({ result: data.custom_data });

test('a message that does not fit its schema never reaches the handler: VALIDATION_ERROR with the fields', async () => {
  let calls = 0;
  const { socket } = await connect((message) => {
    calls++;
    return answer(message, null as never) as never;
  });

  const { type, data } = await socket.request('custom_request', { custom_data: 7, nested: { count: 1.5 } });

  expect(type).toBe('error');
  expect(data.code).toBe('VALIDATION_ERROR');
  expect(data.errors.map(({ path }: { path: string }) => path)).toEqual([
    'data.custom_data',
    'data.nested.count',
  ]);
  expect(await socket.request('custom_request', { custom_data: 'fine' })).toMatchObject({
    type: 'custom_response',
    data: { result: 'fine' },
  });
  expect(calls).toBe(1);
});

test('they appear in /api/info, in welcome and in /asyncapi.json', async () => {
  const { url, socket } = await connect(answer);

  const info = await (await fetch(`${url}/api/info`)).json();
  const asyncapi = JSON.stringify(await (await fetch(`${url}/asyncapi.json`)).json());
  const welcome = await socket.request('hello');

  expect(info).toMatchObject({
    message_types: expect.arrayContaining(['custom_request']),
    custom_message_types: [
      {
        type: 'custom_request',
        request: { type: 'object', properties: { custom_data: { type: 'string' } } },
        response: { type: 'object', properties: { result: { type: 'string' } } },
      },
    ],
  });
  expect(welcome.data.message_types).toContain('custom_request');
  for (const text of ['custom_request', 'Processes data', 'custom_data', 'custom_response']) {
    expect(asyncapi).toContain(text);
  }
});

test('a handler that throws gives an error frame and a log entry, and the connection stays', async () => {
  const { logger, lines } = logLines();
  const { socket } = await connect(
    ({ data }) => {
      if (data.custom_data === 'sync') throw new Error('the secret reason');
      return Promise.reject(new Error('the secret reason'));
    },
    { logger },
  );

  for (const how of ['sync', 'async']) {
    expect(await socket.request('custom_request', { custom_data: how })).toMatchObject({
      type: 'error',
      data: { code: 'WEBSOCKET_ERROR', message: 'Internal WebSocket error' },
    });
  }

  expect((await socket.request('ping')).type).toBe('pong');
  expect(JSON.stringify(socket.frames)).not.toContain('secret reason');
  expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
    { where: 'custom_request', err: { message: 'the secret reason' } },
    { where: 'custom_request', err: { message: 'the secret reason' } },
  ]);
});

test('an ApiError keeps its code, its text and its fields', async () => {
  const { socket } = await connect(() => {
    throw new ApiError('RESOURCE_LIMIT_EXCEEDED', 'Only one at a time', {
      errors: [{ path: 'data.custom_data', message: 'is taken' }],
      retryAfter: 3,
    });
  });

  expect((await socket.request('custom_request', { custom_data: 'x' })).data).toEqual({
    code: 'RESOURCE_LIMIT_EXCEEDED',
    message: 'Only one at a time',
    errors: [{ path: 'data.custom_data', message: 'is taken' }],
    retry_after: 3,
  });
});

test('a handler may answer nothing, several times, or later', async () => {
  const { socket } = await connect(async ({ data }, { reply, send }) => {
    if (data.custom_data === 'nothing') return;
    send({ type: 'greeting', data: {} });
    reply(new Response({ result: 'first' }));
    reply({ type: 'progress', data: { percent: 50 } });
    return new Response({ result: 'last' });
  });

  socket.send({ type: 'custom_request', message_id: 'a', data: { custom_data: 'nothing' } });
  socket.send({ type: 'custom_request', message_id: 'b', data: { custom_data: 'much' } });
  await socket.find(({ data }) => data.result === 'last');

  expect(socket.frames).toEqual([
    { type: 'greeting', data: {} },
    { type: 'custom_response', message_id: 'b', data: { result: 'first' } },
    { type: 'progress', message_id: 'b', data: { percent: 50 } },
    { type: 'custom_response', message_id: 'b', data: { result: 'last' } },
  ]);
});

test.each([
  ['a text', 'text'],
  ['null', null],
  ['no type', { data: {} }],
  ['no data', { type: 'custom_response' }],
  ['what JSON cannot say', { type: 'custom_response', data: { big: 1n } }],
])('a handler that returns %s is a mistake that is logged, not a broken frame', async (_what, result) => {
  const { logger, find } = logLines();
  const { socket } = await connect(() => result as never, { logger });

  expect((await socket.request('custom_request', { custom_data: 'x' })).data.code).toBe('WEBSOCKET_ERROR');

  expect((await find(({ level }) => level === 'error')).err?.type).toBe('TypeError');
});

test('the signal of a handler aborts when its connection closes', async () => {
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const { socket } = await connect((_message, { signal }) => {
    signal.addEventListener('abort', () => aborted.resolve());
    started.resolve();
    return aborted.promise.then(() => undefined);
  });

  socket.send({ type: 'custom_request', data: { custom_data: 'x' } });
  await started.promise;
  await socket.close();

  await expect(aborted.promise).resolves.toBeUndefined();
});

test('a handler knows who is asking, in which session and with which settings', async () => {
  const { socket, sessionId } = await connect(
    (_message, { sessionId: id, principal, connection, settings, session }) => ({
      type: 'custom_response',
      data: { result: [id, session.id, principal.id, connection.sessionId, settings.my_setting].join(' ') },
    }),
    { config: { custom: { my_setting: 'value' } } },
  );

  const { data } = await socket.request('custom_request', { custom_data: 'x' });

  expect(data.result).toBe(`${sessionId} ${sessionId} operator ${sessionId} value`);
});

class Handler extends BaseHandler {
  readonly messageType: string = 'custom_request';
  readonly requestModel: typeof Request = Request;
  handle(_message: WSMessage<object>) {
    return undefined;
  }
}
class Misnamed extends Handler {
  override readonly messageType = 'another_request';
}
const named = (type: string) => defineMessage(type, z.object({}));
const factory = () => new ExtensibleAPIFactory();

test.each([
  [
    'two handlers of one type',
    factory().registerMessage(Request, answer).registerCustomHandler('custom_request', Handler),
    'There is a handler of "custom_request" already',
  ],
  [
    'a core message',
    factory().registerMessage(named('ping'), () => undefined),
    'There is a handler of "ping" already',
  ],
  [
    'a frame that the server sends',
    factory().registerMessage(named('engine_linked'), () => undefined),
    '"engine_linked" is a frame that the server sends',
  ],
  [
    'what is no name',
    factory().registerMessage(named('custom request'), () => undefined),
    'Message type "custom request" is not a name',
  ],
  [
    'a handler of another type',
    factory().registerCustomHandler('custom_request', Misnamed),
    'Misnamed handles "another_request" with the model of "custom_request", but is registered for "custom_request"',
  ],
  [
    'two schemas of one event',
    factory().registerEvent('custom:note', z.object({})).registerEvent('custom:note', z.object({})),
    'There is a schema of "custom:note" already',
  ],
])('registering %s is a TypeError when the application starts', async (_what, apiFactory, message) => {
  const starting = startApp({ apiFactory });

  await expect(starting).rejects.toThrow(TypeError);
  await expect(starting).rejects.toThrow(message);
});

test.each([
  ['custom:', 'Event type "custom:" is not "custom:" and a name'],
  ['custom:two words', 'Event type "custom:two words" is not "custom:" and a name'],
])('registerEvent(%j) is a TypeError at once', (eventType, message) => {
  expect(() => factory().registerEvent(eventType as `custom:${string}`, z.object({}))).toThrow(message);
});
