import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort, startEverything } from './everything-http.ts';
import { startMcp } from './start-mcp.ts';

test('a server over streamable HTTP: tools, progress, cancellation', async () => {
  const port = await freePort();
  await startEverything('streamableHttp', port);
  const mcp = startMcp({ all: { type: 'streamable-http', url: `http://127.0.0.1:${port}/mcp` } });
  await mcp.ready('all');
  expect(await mcp.call('all__echo', { message: 'hello' })).toBe('Echo: hello');
  const progress = vi.fn();
  const results = await Promise.all([
    mcp.call('all__get-sum', { a: 1, b: 2 }),
    mcp.call('all__trigger-long-running-operation', { duration: 0.2, steps: 2 }, { progress }),
  ]);
  expect(results[0]).toContain('3');
  expect(progress).toHaveBeenCalled();
});

test('one that goes away in the middle of a call fails it at once, and comes back with a new session', async () => {
  const port = await freePort();
  const first = await startEverything('streamableHttp', port);
  const mcp = startMcp({ all: { url: `http://127.0.0.1:${port}/mcp` } });
  await mcp.ready('all');
  const begun = Promise.withResolvers<string>();
  const call = mcp.call(
    'all__trigger-long-running-operation',
    { duration: 3600, steps: 36_000 },
    { progress: begun.resolve },
  );
  const failed = expect(call).rejects.toThrow('ended');
  await begun.promise;
  await first.kill();
  await failed;
  await mcp.lost('all');
  await expect(mcp.call('all__echo', { message: 'x' })).rejects.toThrow('not connected now');

  await startEverything('streamableHttp', port);
  await mcp.ready('all', 2);
  expect(await mcp.call('all__echo', { message: 'again' })).toBe('Echo: again');
});

test('one that has forgotten the session is connected anew', async () => {
  const port = await freePort();
  const first = await startEverything('streamableHttp', port);
  const mcp = startMcp({ all: { url: `http://127.0.0.1:${port}/mcp` } });
  await mcp.ready('all');
  await first.kill();
  await startEverything('streamableHttp', port);
  await mcp.call('all__echo', { message: 'x' }).catch(() => {});
  await mcp.ready('all', 2);
  expect(await mcp.call('all__echo', { message: 'again' })).toBe('Echo: again');
});

test('a server that only knows the older transport is found without being told', async () => {
  const port = await freePort();
  await startEverything('sse', port);
  const url = `http://127.0.0.1:${port}/sse`;
  const mcp = startMcp({ found: { url }, told: { type: 'sse', url } });
  await Promise.all([mcp.ready('found'), mcp.ready('told')]);
  expect(await mcp.call('found__echo', { message: 'a' })).toBe('Echo: a');
  expect(await mcp.call('told__echo', { message: 'b' })).toBe('Echo: b');
});

interface Asked {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly id?: number; readonly method?: string; readonly params?: { name?: string } };
}

type Answer = (asked: Asked, response: ServerResponse) => void;

/** Speaks the wire of streamable HTTP by hand, so that it can break it. */
async function startOddHttp(onCall: Answer, onHello?: Answer) {
  const asked: Asked[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const body = (text === '' ? {} : JSON.parse(text)) as Asked['body'];
    const one: Asked = { method: request.method ?? '', headers: request.headers, body };
    asked.push(one);
    if (request.method !== 'POST') return void response.writeHead(405).end();
    if (body.method === 'initialize') {
      if (onHello) return onHello(one, response);
      return json(response, body.id, {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 'odd', version: '1' },
      });
    }
    if (body.method === 'tools/list') {
      return json(response, body.id, { tools: [{ name: 'act', inputSchema: { type: 'object' } }] });
    }
    if (body.method === 'tools/call') return onCall(one, response);
    response.writeHead(202).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, asked, server };
}

function json(response: ServerResponse, id: number | undefined, result: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}

test('headers are sent with every request, with variables filled in, and are in no line of the log', async () => {
  const { url, asked } = await startOddHttp(({ body }, response) =>
    json(response, body.id, { content: [{ type: 'text', text: 'done' }] }),
  );
  const mcp = startMcp(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    { odd: { url, headers: { Authorization: 'Bearer ${TOKEN}' } } },
    { env: { TOKEN: 'secret-token-1' } },
  );
  await mcp.ready('odd');
  expect(await mcp.call('odd__act')).toBe('done');
  expect(asked.length).toBeGreaterThan(3);
  for (const { headers } of asked) expect(headers.authorization).toBe('Bearer secret-token-1');
  expect(JSON.stringify(mcp.lines)).not.toContain('secret-token-1');
});

test('an answer that never ends fails its call instead of filling the memory', async () => {
  const { url } = await startOddHttp((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const block = Buffer.alloc(1024 * 1024, 'x');
    const more = () => {
      while (!response.destroyed && response.write(block));
      response.once('drain', more);
    };
    more();
  });
  const mcp = startMcp({ odd: { url } });
  await mcp.ready('odd');
  await expect(mcp.call('odd__act')).rejects.toThrow('more than 10485760 bytes');
});

test('an error that quotes the credentials is told without them', async () => {
  const { url } = await startOddHttp(({ headers }, response) =>
    response
      .writeHead(403, { 'content-type': 'text/plain' })
      .end(`not for ${headers.authorization?.slice(7)}`),
  );
  const mcp = startMcp({ odd: { url, headers: { Authorization: 'Bearer secret-token-3' } } });
  await mcp.ready('odd');
  const said = await mcp.call('odd__act').catch(String);
  expect(said).toContain('not for [hidden]');
  expect(said + JSON.stringify(mcp.lines)).not.toContain('secret-token-3');
});

test('a stream that is cut before the answer fails its call at once', async () => {
  const { url } = await startOddHttp((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n', () => response.end());
  });
  const mcp = startMcp({ odd: { url } });
  await mcp.ready('odd');
  await expect(mcp.call('odd__act')).rejects.toThrow('ended before the answer');
  expect(mcp.status('odd')).toMatchObject({ status: 'ready', restarts: 0 });
});

test('a call that nobody answers leaves no request behind', async () => {
  const closed = Promise.withResolvers<void>();
  const { url } = await startOddHttp((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': wait\n\n');
    response.on('close', () => closed.resolve());
  });
  const mcp = startMcp({ odd: { url, timeout: 0.05 } });
  await mcp.ready('odd');
  await expect(mcp.call('odd__act')).rejects.toThrow('did not answer within 0.05 seconds');
  await closed.promise;
});

test('a call that is cancelled leaves no request behind', async () => {
  const closed = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const { url } = await startOddHttp((_, response) => {
    arrived.resolve();
    response.on('close', () => closed.resolve());
  });
  const mcp = startMcp({ odd: { url } });
  await mcp.ready('odd');
  const controller = new AbortController();
  const call = mcp.call('odd__act', {}, { signal: controller.signal });
  await arrived.promise;
  controller.abort(new Error('stopped'));
  await expect(call).rejects.toThrow('stopped');
  await closed.promise;
});

test('no connection is left when it is closed', async () => {
  const { url, server } = await startOddHttp(() => {});
  const mcp = startMcp({ odd: { url } });
  await mcp.ready('odd');

  await mcp.servers.close();

  const count = promisify(server.getConnections.bind(server));
  await vi.waitFor(async () => expect(await count()).toBe(0), { timeout: 4000 });
});

test.each([
  ['asks', { id: 1, method: 'ping' }],
  ['tells', { method: 'notifications/message', params: { level: 'info', data: 'x' } }],
])('a server that %s without end is ended', async (_, message) => {
  const event = `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
  const { url } = await startOddHttp((__, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const more = () => {
      while (!response.destroyed && response.write(event.repeat(500)));
      response.once('drain', more);
    };
    more();
  });
  const mcp = startMcp({ odd: { url } });
  await mcp.ready('odd');
  await expect(mcp.call('odd__act')).rejects.toThrow('ended during the call');
  await mcp.lost('odd');
});

test('one that refuses the credentials, or leads elsewhere, is not reached; the secret stays here', async () => {
  const elsewhere = await startOddHttp(() => {});
  const strict = await startOddHttp(
    () => {},
    (_, response) => response.writeHead(401, { 'content-type': 'text/plain' }).end('who are you?'),
  );
  const moved = await startOddHttp(
    () => {},
    (_, response) => response.writeHead(307, { location: elsewhere.url }).end(),
  );
  const headers = { Authorization: 'Bearer secret-token-2' };
  const mcp = startMcp({ strict: { url: strict.url, headers }, moved: { url: moved.url, headers } });
  expect((await mcp.notReached('strict')).reason).toContain('who are you?');
  await mcp.notReached('moved');
  expect(elsewhere.asked).toEqual([]);
});

test('why a server is not reached is told in words', async () => {
  const mcp = startMcp({ nobody: { url: `http://127.0.0.1:${await freePort()}/mcp` } });
  expect((await mcp.notReached('nobody')).reason).toMatch(/ECONNREFUSED/);
  expect(mcp.status('nobody')?.lastError).toContain('ECONNREFUSED');
});
