/** What costs when nothing happens: nothing. */
import { createHook } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const SESSIONS = 1000;
const IDLE_MS = 1500;

/** Counts timers that exist and things that happen, unref'd timers too, which `process.getActiveResourcesInfo()` leaves out. */
function watchEventLoop() {
  const timers = new Set<number>();
  let happened = 0;
  const hook = createHook({
    init: (id, type) => {
      if (type === 'Timeout') timers.add(id);
    },
    before: () => {
      happened++;
    },
    destroy: (id) => {
      timers.delete(id);
    },
  }).enable();
  onTestFinished(() => void hook.disable());
  return { timers, happened: () => happened };
}

test('1,000 sessions with 1,000 idle sockets: no timer a session, and no work when nothing happens', async () => {
  const { app, wsUrl, createSession } = await startApp({ config: { maxSessions: SESSIONS } });
  const loop = watchEventLoop();
  const sockets: TestSocket[] = [];
  // In groups, because a thousand handshakes at once are a test of something else.
  for (let n = 0; n < SESSIONS; n += 50) {
    const opened = await Promise.all(
      Array.from({ length: 50 }, async () => TestSocket.open(wsUrl(await createSession()))),
    );
    sockets.push(...opened);
  }
  // Each session is used and touched once, so that whatever watches it has begun to.
  await Promise.all(sockets.map((socket) => socket.request('hello')));
  expect(await app.services.storage.counts()).toMatchObject({ sessions: SESSIONS });
  expect(app.messaging.connections()).toHaveLength(SESSIONS);
  // What the connecting leaves behind: pending touches, connections of `fetch`, handshake timeouts.
  await expect.poll(() => loop.timers.size, { timeout: 15_000, interval: 100 }).toBeLessThan(50);

  const cpu = process.cpuUsage();
  const before = loop.happened();
  await sleep(IDLE_MS);
  const work = loop.happened() - before;
  const { user, system } = process.cpuUsage(cpu);

  // One look at each session or socket would be a thousand.
  expect(work).toBeLessThan(SESSIONS / 4);
  // Microseconds. A core that is a third busy is far from nothing, but no slow machine is that slow.
  expect(user + system).toBeLessThan((IDLE_MS * 1000) / 3);
  for (const socket of [sockets[0], sockets.at(-1)] as TestSocket[]) {
    expect((await socket.request('ping')).type).toBe('pong');
  }
});
