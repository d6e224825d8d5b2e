/** A start that fails leaves nothing behind, and does not stand in the way of the next one. */
import { createApp, ExtensibleAPIFactory, type RouterContext } from '@llmgine/api';
import { expect, onTestFinished, test, vi } from 'vitest';

const CONFIG = {
  host: '127.0.0.1',
  port: 0,
  databaseUrl: ':memory:',
  logLevel: 'silent',
  model: 'demo:fast',
} as const;

test('what is open is closed when a router fails the start', async () => {
  let seen: RouterContext['services'] | undefined;
  const closed = vi.fn();
  const apiFactory = new ExtensibleAPIFactory().registerCustomRouter('/api/bad', (app, { services }) => {
    seen = services;
    vi.spyOn(services.cluster, 'close');
    vi.spyOn(services.metrics, 'close');
    app.addHook('onClose', async () => {
      // Whoever closes may have something to write: the storage is the last to go.
      await services.storage.check();
      closed();
    });
    app.addHook('onReady', async () => {
      expect(services.sessions.monitorRunning).toBe(true);
      throw new Error('not ready');
    });
  });

  await expect(createApp({ config: CONFIG, apiFactory })).rejects.toThrow('not ready');

  expect(closed).toHaveBeenCalledOnce();
  expect(seen?.sessions.monitorRunning).toBe(false);
  expect(seen?.cluster.close).toHaveBeenCalledOnce();
  expect(seen?.metrics.close).toHaveBeenCalledOnce();
  await expect(seen?.storage.check()).rejects.toThrow('closed');
});

test('queued runs that cannot be read fail one listen or inject, and not those that follow', async () => {
  const app = await createApp({ config: CONFIG });
  onTestFinished(() => app.close());
  const read = vi.spyOn(app.services.storage, 'sessionsWithQueuedRuns');
  const broken = new Error('cannot be read now');

  read.mockRejectedValueOnce(broken);
  await expect(app.inject('/health')).rejects.toThrow(broken);
  read.mockRejectedValueOnce(broken);
  await expect(app.listen()).rejects.toThrow(broken);

  const { url } = await app.listen();
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await app.inject('/health')).statusCode).toBe(200);
});
