import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ModelScript,
  type ModelServer,
  startModelServer,
} from '../../../../tests/helpers/model-server.ts';
import { type ClosableProvider, openAICompatible } from '../../src/models/openai-compatible.ts';
import { MODEL_TIMEOUTS } from '../../src/models/stall-timer.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure, SECRET } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';

let server: ModelServer;
let provider: ClosableProvider;

// The time of the tests stands still; sockets are real.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

beforeEach(async () => {
  server = await startModelServer();
  provider = openAICompatible({ baseURL: server.baseUrl, apiKey: SECRET });
});
afterEach(async () => {
  await provider.close();
  await server.close();
});

const HELLO: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };
const never = () => new AbortController().signal;

describe('back-pressure', () => {
  test('stops reading from the provider', async () => {
    // More than all socket buffers on the way hold.
    const flood = (gate: ReturnType<ModelServer['gate']>): ModelScript => ({
      steps: [...Array.from({ length: 512 }, () => ({ text: 'x'.repeat(65_536) })), { gate }],
    });
    const [held, free] = [server.gate(), server.gate()];
    let heldReached = false;
    const reached = held.reached.then(() => {
      heldReached = true;
    });
    const full = new RecordingSink();
    full.isFull = (calls) => calls === 1;

    server.script(flood(held), flood(free));
    const first = provider.model('m').stream(HELLO, full, never());
    await full.waiting;
    const second = provider.model('m').stream(HELLO, new RecordingSink(), never());
    await free.reached;

    // The same flood has gone all the way into a sink that takes it.
    expect(heldReached).toBe(false);
    expect(full.calls.length).toBe(1);
    full.empty();
    await reached;
    held.release();
    free.release();
    await Promise.all([first, second]);
    expect(full.calls.length).toBe(512);
  });
});

describe('what goes wrong', () => {
  test('a server that is not there', async () => {
    const nobody = openAICompatible({ baseURL: 'http://127.0.0.1:9/v1' });

    const error = await failure(nobody.model('m'), HELLO);

    expect(error.message).toBe('The model provider cannot be reached (ECONNREFUSED)');
    await nobody.close();
  });

  test('a page of HTML with a status says the status only', async () => {
    server.script({ status: 502, error: '<html><body>Bad gateway' });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toBe('The model provider answered 502: Bad Gateway');
  });

  test('a compressed answer, which nobody has asked for', async () => {
    server.script({ headers: { 'content-encoding': 'br' }, steps: [{ text: 'x' }] });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toMatch(/compressed answer/);
  });

  test('a page of HTML instead of an answer', async () => {
    server.script({ headers: { 'content-type': 'text/html' }, steps: [{ raw: '<html>' }] });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toMatch(/web page/);
  });

  test('a long error is cut', async () => {
    server.script({ status: 500, error: { message: 'long '.repeat(10_000) } });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toMatch(/^The model provider answered 500: long long .*…$/);
  });

  test.each([
    ['an event called error', 'event: error\ndata: {"message":"the reason"}\n\n'],
    ['an object called error', 'data: {"object":"error","message":"the reason","code":400}\n\n'],
    ['an error that is a text', 'data: {"error":"the reason"}\n\n'],
  ])('%s', async (_, raw) => {
    server.script({ steps: [{ text: 'Hel' }, { raw }] });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toBe('The model provider reported an error: the reason');
  });

  test.each([
    ['a tool call without a name', 'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n\n'],
    ['choices that are none', 'data: {"choices":[{"delta":{"tool_calls":7}}]}\n\n'],
    ['null', 'data: null\n\n'],
  ])('%s cannot be understood', async (_, raw) => {
    server.script({ steps: [{ raw }] });

    const error = await failure(provider.model('m'), HELLO);

    expect(error.message).toMatch(/cannot be understood/);
  });

  test.each([
    ['before its headers', () => ({ headersGate: server.gate() })],
    ['after its headers', () => ({ steps: [{ gate: server.gate() }] })],
  ])('a provider that says nothing %s', async (_, script) => {
    server.script(script());
    const failed = failure(provider.model('m'), HELLO);
    await server.received(1);

    vi.advanceTimersByTime(MODEL_TIMEOUTS.firstToken);

    expect((await failed).message).toBe('The model provider sent nothing for 120 s');
    await server.requests[0]?.closed;
  });

  test('a provider that says nothing more', async () => {
    const sink = new RecordingSink();
    const spoken = Promise.withResolvers<void>();
    sink.onCall = spoken.resolve;
    server.script({ steps: [{ text: 'Hel' }, { gate: server.gate() }] });
    const finished = provider.model('m').stream(HELLO, sink, never());
    await spoken.promise;

    vi.advanceTimersByTime(MODEL_TIMEOUTS.betweenChunks);

    await expect(finished).rejects.toThrow('The model provider sent nothing for 60 s');
    await server.requests[0]?.closed;
  });

  test('a full sink, which is not the silence of the provider', async () => {
    const gate = server.gate();
    const sink = new RecordingSink();
    sink.isFull = (calls) => calls === 1;
    server.script({ steps: [{ text: 'Hel' }, { gate }, { text: 'lo' }] });
    const finished = provider.model('m').stream(HELLO, sink, never());
    await sink.waiting;

    vi.advanceTimersByTime(2 * MODEL_TIMEOUTS.firstToken);
    gate.release();
    sink.empty();

    await expect(finished).resolves.toMatchObject({ finishReason: 'stop' });
  });

  test('a provider that is closed', async () => {
    server.script({ headersGate: server.gate() });
    const running = failure(provider.model('m'), HELLO);
    await server.received(1);

    await provider.close();

    await running;
    await failure(provider.model('m'), HELLO);
    await provider.close();
  });
});

describe('connections', () => {
  let sockets = 0;
  let proxy: Server;
  afterAll(() => proxy.close());

  test('are used again after an answer', async () => {
    const { connect } = await import('node:net');
    proxy = createServer((socket) => {
      sockets++;
      const { port } = new URL(server.baseUrl);
      const upstream = connect(Number(port), '127.0.0.1');
      socket.pipe(upstream).pipe(socket);
      for (const end of [socket, upstream]) end.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as { port: number };
    const through = openAICompatible({ baseURL: `http://127.0.0.1:${port}/v1` });

    for (let n = 0; n < 20; n++) {
      await through.model('m').stream(HELLO, new RecordingSink(), never());
    }

    // An answer is there a moment before its response has ended, so the next request may find that connection busy.
    expect(server.requests.length).toBe(20);
    expect(sockets).toBeLessThan(10);
    await through.close();
  });
});
