import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { expectProblem } from './expect-problem.ts';
import { exchange } from './raw.ts';

async function start() {
  const { app } = await startApp();
  const http = await createHttpServer(app.services);
  onTestFinished(() => http.close());
  await http.listen({ host: '127.0.0.1', port: 0 });
  return { http, url: `http://127.0.0.1:${(http.server.address() as AddressInfo).port}` };
}

it('gives headers 10 s, a request 30 s and an idle connection 5 s', async () => {
  const { http } = await start();

  const { headersTimeout, requestTimeout, keepAliveTimeout } = http.server;

  expect({ headersTimeout, requestTimeout, keepAliveTimeout }).toEqual({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 5_000,
  });
});

it('answers a request that did not arrive in time with 408 and closes the connection', async () => {
  const { http, url } = await start();
  const connected = once(http.server, 'connection') as Promise<[Socket]>;
  const answer = exchange(url, 'GET /health HTTP/1.1\r\n');
  const [socket] = await connected;

  // What the server emits when its clock runs out, which a test does not wait for.
  const late = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
  http.server.emit('clientError', late, socket);

  expectProblem(await answer, 'VALIDATION_ERROR', 408);
  expect((await answer).headers.connection).toBe('close');
});
