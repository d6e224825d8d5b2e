/** Frames and their handlers: order, time, errors, and what is repeated. */
import { ApiError, defineMessage, ExtensibleAPIFactory, WSResponse } from '@llmgine/api';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type StartOptions, startApp } from '../../../../tests/helpers/app.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';
import { keyOf } from '../../src/sessions/service.ts';
import { Dispatch, type DispatchTarget } from '../../src/ws/dispatch.ts';
import { logLines } from '../extensibility/log-lines.ts';

class Echo extends defineMessage('echo', z.object({ text: z.string(), times: z.number().default(1) })) {}
class Hold extends defineMessage('hold', z.object({})) {}
class Fail extends defineMessage('fail', z.object({ how: z.string() })) {}
class Twice extends defineMessage('twice', z.object({})) {}

/** An application whose `hold` waits until the gate is open. */
async function start(options: StartOptions = {}) {
  const gate = testGate();
  const aborted: unknown[] = [];
  const failures: Record<string, () => unknown> = {
    plainly: () => {
      throw new Error('the password is swordfish');
    },
    later: async () => Promise.reject(new Error('the password is swordfish')),
    knowingly: () => {
      throw new ApiError('RESOURCE_LIMIT_EXCEEDED', 'Only one at a time', { retryAfter: 7 });
    },
    circularly: () => {
      const data: Record<string, unknown> = {};
      data.data = data;
      return new WSResponse('failed', data);
    },
    'with nothing to say': async () => Promise.reject(),
  };
  const apiFactory = new ExtensibleAPIFactory()
    .registerMessage(Echo, ({ data }) => new WSResponse('echoed', data))
    .registerMessage(Hold, async (_message, { signal }) => {
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      await gate.pass();
      return new WSResponse('held', {});
    })
    .registerMessage(Fail, ({ data }) => failures[data.how]?.() as never)
    .registerMessage(Twice, (_message, { reply }) => {
      reply(new WSResponse('first', {}));
      reply(new WSResponse('second', {}));
    });
  const app = await startApp({ apiFactory, ...options });
  const id = await app.createSession();
  return { ...app, id, gate, aborted, socket: await TestSocket.open(app.wsUrl(id)) };
}

describe('order', () => {
  test('handlers run one at a time, in the order of their frames; ping, status and cancel do not wait', async () => {
    const { socket, gate } = await start();
    socket.send({ type: 'hold', message_id: 1 });
    socket.send({ type: 'echo', message_id: 2, data: { text: 'a' } });
    socket.send({ type: 'get_engine_types', message_id: 3 });
    socket.send({ type: 'echo', message_id: 4, data: { text: 'b' } });
    await gate.reached;
    expect((await socket.request('ping')).type).toBe('pong');
    expect((await socket.request('status')).type).toBe('status_response');
    expect((await socket.request('cancel')).data.code).toBe('RUN_NOT_FOUND');
    expect(socket.frames).toHaveLength(3);
    gate.open();
    await socket.find(({ message_id }) => message_id === 4);
    expect(socket.frames.slice(3).map(({ type, message_id }) => [type, message_id])).toEqual([
      ['held', 1],
      ['echoed', 2],
      ['engine_types', 3],
      ['echoed', 4],
    ]);
  });

  test('frames are validated as they come: an error does not wait', async () => {
    const { socket, gate } = await start();
    socket.send({ type: 'hold' });
    socket.send({ type: 'echo', message_id: 'wrong', data: {} });
    await gate.reached;
    expect((await socket.find(({ message_id }) => message_id === 'wrong')).data.code).toBe(
      'VALIDATION_ERROR',
    );
    gate.open();
    expect((await socket.findType('held')).data).toEqual({});
  });

  test('connections do not wait for each other', async () => {
    const { socket, gate, wsUrl, id } = await start();
    const other = await TestSocket.open(wsUrl(id));
    socket.send({ type: 'hold' });
    await gate.reached;
    expect((await other.request('echo', { text: 'x' })).type).toBe('echoed');
  });

  test('more frames than may wait are all answered, in order', async () => {
    const { socket, gate } = await start();
    socket.send({ type: 'hold', message_id: -1 });
    await gate.reached;
    for (let n = 0; n < 500; n++) {
      // Handlers that wait for nothing, and some that do.
      socket.send(
        n % 100 === 50
          ? { type: 'echo', message_id: n, data: { text: 'x' } }
          : { type: 'get_engine_types', message_id: n },
      );
    }
    gate.open();
    await socket.find(({ message_id }) => message_id === 499);
    expect(socket.frames.map(({ message_id }) => message_id)).toEqual([-1, ...Array(500).keys()]);
    expect((await socket.request('ping')).type).toBe('pong');
  });
});

describe('reading stops while 64 frames wait', () => {
  /** Dispatch of a real application, with a connection that only notes what is asked of it. */
  async function dispatchAlone() {
    const { app, id, gate } = await start();
    const calls: string[] = [];
    const replies: string[] = [];
    const target = {
      sessionId: id,
      principal: LOCAL_OPERATOR,
      key: keyOf(LOCAL_OPERATOR, id),
      logger: app.services.logger,
      sendReply: (_id: unknown, type: string) => void replies.push(type),
      takeAudio: (bytes: Buffer) => void replies.push(`${bytes.length} bytes`),
      pauseReading: () => void calls.push('pause'),
      resumeReading: () => void calls.push('resume'),
    } as unknown as DispatchTarget;
    const dispatch = new Dispatch(app.services, target);
    const send = (type: string) => dispatch.receive(JSON.stringify({ type }));
    return { app, dispatch, send, gate, calls, replies };
  }

  test('of ordered handlers, and goes on when they have been handled', async () => {
    const { send, gate, calls, replies } = await dispatchAlone();
    send('hold');
    for (let n = 0; n < 62; n++) send('get_engine_types');
    expect(calls).toEqual([]);
    send('get_engine_types');
    expect(calls).toEqual(['pause']);
    // What was read already still counts.
    for (let n = 0; n < 100; n++) send('get_engine_types');
    expect(new Set(calls)).toEqual(new Set(['pause']));
    gate.open();
    await vi.waitFor(() => expect(calls.at(-1)).toBe('resume'));
    expect(replies).toHaveLength(1 + 163);
  });

  test('or much audio, which has its turn like others', async () => {
    const { dispatch, send, gate, calls, replies } = await dispatchAlone();
    dispatch.receiveAudio(Buffer.alloc(1_000_000));
    send('hold');
    dispatch.receiveAudio(Buffer.alloc(200_000));
    send('get_engine_types');
    expect(calls).toEqual([]);
    dispatch.receiveAudio(Buffer.alloc(100_000));
    expect(calls).toEqual(['pause']);
    send('ping');
    gate.open();
    await vi.waitFor(() => expect(calls.at(-1)).toBe('resume'));
    const [first, pong, held, ...rest] = replies;
    expect([first, pong, held === 'pong']).toEqual(['1000000 bytes', 'pong', false]);
    expect(rest).toEqual(['200000 bytes', 'engine_types', '100000 bytes']);
  });

  test('of handlers that do not wait for others', async () => {
    const { app, send, calls, replies } = await dispatchAlone();
    const asked = testGate();
    const get = app.services.sessions.get.bind(app.services.sessions);
    app.services.sessions.get = async (...parameters) => {
      await asked.pass();
      return get(...parameters);
    };
    for (let n = 0; n < 64; n++) send('status');
    expect(calls).toEqual(['pause']);
    asked.open();
    await vi.waitFor(() => expect(replies).toHaveLength(64));
    expect(calls.at(-1)).toBe('resume');
  });

  test('a connection that is not read is closed like others: the answer to the close is read', async () => {
    const logs = logLines('debug');
    const { app, url, id, gate, socket } = await start({ logger: logs.logger });
    for (let n = 0; n < 100; n++) socket.send({ type: 'hold' });
    await gate.reached;
    await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' });
    expect((await socket.closed).code).toBe(4004);
    // Not 1006, which is what it is called when the time for the answer was up.
    expect(await logs.find(({ msg }) => msg === 'connection closed')).toMatchObject({ code: 4004 });
    expect(app.messaging.connections()).toEqual([]);
  });

  test('after the close nothing that waited is handled, and nothing more', async () => {
    const { dispatch, send, gate, replies } = await dispatchAlone();
    send('hold');
    send('get_engine_types');
    dispatch.close();
    send('get_engine_types');
    gate.open();
    await new Promise(setImmediate);
    expect(replies).toEqual([]);
  });
});

describe('time', () => {
  test('a handler that takes too long gives WEBSOCKET_ERROR, and the next frame is handled', async () => {
    const { socket, gate, aborted } = await start({ config: { handlerTimeout: 0.05 } });
    socket.send({ type: 'hold', message_id: 'slow' });
    socket.send({ type: 'echo', message_id: 'next', data: { text: 'x' } });
    expect(await socket.find(({ message_id }) => message_id === 'slow')).toEqual({
      type: 'error',
      message_id: 'slow',
      data: { code: 'WEBSOCKET_ERROR', message: '"hold" took longer than 0.05 seconds' },
    });
    expect((await socket.find(({ message_id }) => message_id === 'next')).type).toBe('echoed');
    expect(aborted).toHaveLength(1);
    // Its late answer would be a second one.
    gate.open();
    await socket.request('echo', { text: 'y' });
    expect(socket.frames.map(({ type }) => type)).toEqual(['error', 'echoed', 'echoed']);
  });

  test('a handler is told when its connection closes', async () => {
    const { socket, gate, aborted } = await start();
    socket.send({ type: 'hold' });
    await gate.reached;
    socket.ws.terminate();
    await vi.waitFor(() => expect(aborted).toEqual([new Error('the connection is closed')]));
  });
});

describe('errors', () => {
  test.each(['plainly', 'later', 'circularly', 'with nothing to say'])(
    'a handler that fails %s gives WEBSOCKET_ERROR without its text, and a log entry with it',
    async (how) => {
      const logs = logLines('error');
      const { socket } = await start({ logger: logs.logger });
      const { type, data } = await socket.request('fail', { how });
      expect({ type, data }).toEqual({
        type: 'error',
        data: { code: 'WEBSOCKET_ERROR', message: 'Internal WebSocket error' },
      });
      expect(await logs.find(({ where }) => where === 'fail')).toMatchObject({
        level: 'error',
        msg: 'handler failed',
      });
      expect((await socket.request('echo', { text: 'x' })).type).toBe('echoed');
    },
  );

  test('in debug mode the client sees what went wrong', async () => {
    const { socket } = await start({ config: { debug: true } });
    const { data } = await socket.request('fail', { how: 'plainly' });
    expect(data).toMatchObject({ code: 'WEBSOCKET_ERROR', details: 'Error: the password is swordfish' });
  });

  test('an error of the table is told as it is', async () => {
    const { socket } = await start();
    expect((await socket.request('fail', { how: 'knowingly' })).data).toEqual({
      code: 'RESOURCE_LIMIT_EXCEEDED',
      message: 'Only one at a time',
      retry_after: 7,
    });
  });

  test('a failed validation names the fields', async () => {
    const { socket } = await start();
    const { data } = await socket.request('echo', { text: 1, times: 'two' });
    expect(data).toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringMatching(/^data failed validation: data\.text: /),
      errors: [
        { path: 'data.text', message: expect.stringMatching(/\S/) },
        { path: 'data.times', message: expect.stringMatching(/\S/) },
      ],
    });
  });

  test.each<[string, string, string]>([
    ['no JSON', '{"type":"ping"', 'INVALID_JSON'],
    ['nothing', '', 'INVALID_JSON'],
    ['a number', '7', 'VALIDATION_ERROR'],
    ['null', 'null', 'VALIDATION_ERROR'],
    ['an array', '[{"type":"ping"}]', 'VALIDATION_ERROR'],
    ['no type', '{"data":{}}', 'VALIDATION_ERROR'],
    ['a type that is a number', '{"type":7}', 'VALIDATION_ERROR'],
    ['an empty type', '{"type":""}', 'VALIDATION_ERROR'],
    ['data that is a text', '{"type":"ping","data":"x"}', 'VALIDATION_ERROR'],
    ['data that is an array', '{"type":"ping","data":[]}', 'VALIDATION_ERROR'],
    ['data that is null', '{"type":"ping","data":null}', 'VALIDATION_ERROR'],
    ['a message_id that is an object', '{"type":"ping","message_id":{}}', 'VALIDATION_ERROR'],
    [
      'a message_id that is too long',
      `{"type":"ping","message_id":"${'x'.repeat(256)}"}`,
      'VALIDATION_ERROR',
    ],
    ['an unknown type', '{"type":"dance"}', 'INVALID_MESSAGE_TYPE'],
    ['a name of every object', '{"type":"constructor"}', 'INVALID_MESSAGE_TYPE'],
    ['another name of every object', '{"type":"__proto__"}', 'INVALID_MESSAGE_TYPE'],
    ['a type that the server sends', '{"type":"event_published"}', 'INVALID_MESSAGE_TYPE'],
    ['a type in capitals', '{"type":"PING"}', 'INVALID_MESSAGE_TYPE'],
  ])('%s gives an error and leaves the connection open', async (_, text, code) => {
    const { socket } = await start();
    socket.send(text);
    expect((await socket.findType('error')).data).toMatchObject({
      code,
      message: expect.stringMatching(/\S/),
    });
    expect((await socket.request('ping')).type).toBe('pong');
  });

  test('a binary message gives an error and leaves the connection open', async () => {
    const { socket } = await start();
    socket.ws.send(Buffer.from('{"type":"ping"}'));
    expect((await socket.findType('error')).data.code).toBe('INVALID_MESSAGE_TYPE');
    expect((await socket.request('ping')).type).toBe('pong');
  });
});

describe('what is repeated, and what is dropped', () => {
  test.each(['text', '', 0, -1.5, 9007199254740991, 'ünï©öde "quoted" \n'])(
    'message_id %j is in every reply and in every error',
    async (id) => {
      const { socket } = await start();
      for (const [type, data] of [
        ['ping', {}],
        ['twice', {}],
        ['status', {}],
        ['dance', {}],
        ['fail', { how: 'plainly' }],
        ['link_engine', {}],
        ['link_engine', { engine_type: 'NoSuchEngine' }],
        ['ping', 7],
      ]) {
        socket.send({ type, message_id: id, data });
      }
      await vi.waitFor(() => expect(socket.frames).toHaveLength(9));
      expect(socket.frames.map(({ message_id }) => message_id)).toEqual(Array(9).fill(id));
    },
  );

  test('without a message_id there is none in the reply', async () => {
    const { socket } = await start();
    socket.send({ type: 'ping' });
    socket.send({ type: 'dance' });
    socket.send('{');
    await socket.find(({ data }) => data.code === 'INVALID_JSON');
    for (const frame of socket.frames) expect(Object.keys(frame)).toEqual(['type', 'data']);
  });

  test('missing data is {}', async () => {
    const { socket } = await start();
    for (const type of ['ping', 'status', 'get_engine_types', 'hello', 'twice']) {
      socket.send({ type, message_id: type });
      expect((await socket.find(({ message_id }) => message_id === type)).type).not.toBe('error');
    }
  });

  test('unknown fields have no effect', async () => {
    const { socket } = await start();
    socket.send({
      type: 'echo',
      message_id: 1,
      role: 'admin',
      data: { text: 'x', tenant_id: 'other', __proto__: null, constructor: { x: 1 } },
    });
    socket.send(
      '{"type":"echo","message_id":2,"__proto__":{"type":"fail"},"data":{"text":"y","__proto__":{"times":9}}}',
    );
    expect((await socket.find(({ message_id }) => message_id === 1)).data).toEqual({ text: 'x', times: 1 });
    expect((await socket.find(({ message_id }) => message_id === 2)).data).toEqual({ text: 'y', times: 1 });
    expect(({} as { times?: number }).times).toBeUndefined();
  });
});
