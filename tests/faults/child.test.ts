import { expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { FaultyServer } from './child.ts';

async function start() {
  const server = await FaultyServer.start({ LLMGINE_API_DATA_DIR: await tempDir() });
  const sessions = async () => (await call('GET', `${server.url}/api/sessions`)).body.total;
  return { server, sessions };
}

test('killed and started again it is in the same place, on the same data, in another process', async () => {
  const { server, sessions } = await start();
  const { url, pid } = server;
  await call('POST', `${url}/api/sessions`);

  await server.kill();
  expect(server.alive).toBe(false);
  await expect(sessions()).rejects.toThrow('fetch failed');
  await server.start();

  expect(await sessions()).toBe(1);
  expect(server.url).toBe(url);
  expect(server.pid).not.toBe(pid);
  expect(server.starts).toBe(2);
});

test('frozen it answers nobody, thawed it answers those who have waited', async () => {
  const { server, sessions } = await start();
  await server.freeze();
  let answered = false;
  const waiting = sessions().then((total) => {
    answered = true;
    return total;
  });
  // It stands still however long it is looked at; a server that runs would answer within that.
  await expect(fetch(server.url, { signal: AbortSignal.timeout(300) })).rejects.toThrow('timeout');
  expect(answered).toBe(false);
  server.thaw();
  expect(await waiting).toBe(0);
});

test('a life that ends by itself is a crash, one that is killed is none', async () => {
  const { server } = await start();
  await server.restart();
  expect(server.crashes).toEqual([]);
  process.kill(server.pid, 'SIGTERM');
  await expect.poll(() => server.crashes).toHaveLength(1);
  expect(server.alive).toBe(false);
});

test('frozen it can be killed', async () => {
  const { server, sessions } = await start();
  await server.freeze();
  await server.restart();
  expect(await sessions()).toBe(0);
});
