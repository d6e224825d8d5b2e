import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Random } from './random.ts';
import { startProxy, type TcpProxy } from './tcp-proxy.ts';

/** A server that says what it hears, behind a proxy. */
async function startEcho() {
  const peers: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (peer) => {
    peers.push(peer);
    peer.on('error', () => {});
    peer.pipe(peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const peer of peers) peer.destroy();
    server.close();
  });
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return { proxy: await startProxy(target, new Random(1)), peers };
}

/** A client that remembers what it was told and how it ended. */
async function talk(proxy: TcpProxy) {
  const socket = connect({ host: proxy.host, port: proxy.port });
  onTestFinished(() => void socket.destroy());
  const told: Buffer[] = [];
  const heard = () => Buffer.concat(told).toString();
  let error: string | undefined;
  socket.on('data', (bytes) => told.push(bytes as Buffer));
  socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code));
  const closed = new Promise<string | undefined>((resolve) => socket.on('close', () => resolve(error)));
  await once(socket, 'connect');
  const hears = (text: string) => expect.poll(heard).toBe(text);
  return { socket, closed, heard, hears };
}

test('without faults everything passes, in both directions, up to the end', async () => {
  const { proxy } = await startEcho();
  const { socket, closed, heard } = await talk(proxy);
  const much = 'x'.repeat(1_000_000);
  socket.end(much);
  expect(await closed).toBeUndefined();
  expect(heard()).toBe(much);
  await expect.poll(() => proxy.open).toBe(0);
});

test('latency and jitter delay, and keep the order', async () => {
  const { proxy } = await startEcho();
  const { socket, hears } = await talk(proxy);
  proxy.set({ latencyMs: 30, jitterMs: 20 });
  const began = performance.now();
  let all = '';
  for (let n = 0; n < 20; n++) {
    const text = `${n} `;
    all += text;
    await new Promise((resolve) => socket.write(text, resolve));
  }
  await hears(all);
  // Once on the way there, once on the way back; a timer may be early by a rounding.
  expect(performance.now() - began).toBeGreaterThan(58);
});

test('slices are written one by one', async () => {
  const { proxy } = await startEcho();
  const { socket, hears } = await talk(proxy);
  proxy.set({ slice: 3 }, 'toClient');
  socket.write('abcdefghij');
  await hears('abcdefghij');
  expect(proxy.passed.toClient).toEqual({ bytes: 10, writes: 4 });
});

test('a narrow band takes its time', async () => {
  const { proxy } = await startEcho();
  const { socket, hears } = await talk(proxy);
  proxy.set({ slice: 100, bytesPerSecond: 10_000 }, 'toClient');
  const began = performance.now();
  socket.write('x'.repeat(600));
  await hears('x'.repeat(600));
  // The last slice does not wait for itself; a timer may be early by a rounding.
  expect(performance.now() - began).toBeGreaterThan(45);
});

test('a pause holds everything back, also the sender, and loses nothing', async () => {
  const { proxy } = await startEcho();
  const { socket, closed, heard } = await talk(proxy);
  proxy.set({ flow: 'pause' }, 'toServer');
  const much = Buffer.alloc(32 * 1024 * 1024, 'x');
  expect(socket.write(much)).toBe(false);
  await expect.poll(() => proxy.held).toBeGreaterThan(60_000);
  // A proxy that went on reading would have had the time.
  await talk(proxy);
  expect(proxy.held).toBeLessThan(200_000);
  expect(proxy.passed.toServer.bytes).toBe(0);

  proxy.heal();
  socket.end();
  expect(await closed).toBeUndefined();
  expect(heard()).toHaveLength(much.length);
});

test('a half-open connection swallows bytes and ends, and nobody notices', async () => {
  const { proxy, peers } = await startEcho();
  const { socket, heard, hears } = await talk(proxy);
  socket.write('before');
  await hears('before');
  const ends: string[] = [];
  peers[0]?.on('end', () => ends.push('server'));
  socket.on('end', () => ends.push('client'));

  proxy.set({ flow: 'swallow' });
  socket.end('lost');
  await expect.poll(() => proxy.swallowed.toServer).toEqual({ bytes: 4, ends: 1 });
  proxy.heal();
  const other = await talk(proxy);
  other.socket.write('after');
  await other.hears('after');

  expect(ends).toEqual([]);
  expect(heard()).toBe('before');
  expect(proxy.open).toBe(2);
});

test('a cut resets both sides', async () => {
  const { proxy, peers } = await startEcho();
  const { socket, closed, hears } = await talk(proxy);
  socket.write('before');
  await hears('before');
  const gone = new Promise((resolve) => peers[0]?.on('close', resolve));

  proxy.cut();

  expect(await closed).toBe('ECONNRESET');
  await gone;
  await expect.poll(() => proxy.open).toBe(0);
});

test('a cut after so many bytes passes on exactly these, and spares the next connection', async () => {
  const { proxy } = await startEcho();
  const { socket, closed } = await talk(proxy);
  proxy.cutAfter(4, 'toClient');
  socket.write('abcdefgh');
  expect(await closed).toBe('ECONNRESET');
  expect(proxy.passed.toClient.bytes).toBe(4);

  const next = await talk(proxy);
  next.socket.write('abcdefgh');
  await next.hears('abcdefgh');
});

test('who is refused is reset, who is swallowed waits in silence', async () => {
  const { proxy, peers } = await startEcho();
  proxy.accept = 'refuse';
  const refused = await talk(proxy).catch(() => undefined);
  if (refused) expect(await refused.closed).toBe('ECONNRESET');
  proxy.accept = 'swallow';
  const silent = await talk(proxy);
  await new Promise((resolve) => silent.socket.write('hello', resolve));
  proxy.heal();
  const { socket, hears } = await talk(proxy);
  socket.write('hello');
  await hears('hello');

  expect(silent.heard()).toBe('');
  expect(silent.socket.destroyed).toBe(false);
  expect(peers).toHaveLength(1);
});

test('where nobody listens the client sees a reset, and the next target is used by the next connection', async () => {
  const { proxy } = await startEcho();
  const { target } = proxy;
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));

  proxy.target = { host: '127.0.0.1', port };
  const lost = await talk(proxy);
  expect(await lost.closed).toBe('ECONNRESET');

  proxy.target = target;
  const { socket, hears } = await talk(proxy);
  socket.write('hello');
  await hears('hello');
});
