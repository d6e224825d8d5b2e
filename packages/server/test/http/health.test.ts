import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { expectProblem } from './expect-problem.ts';

const DATE = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

it('answers with exactly the documented bodies', async () => {
  const { url, createSession } = await startApp();
  await createSession();
  await createSession({ engine_type: 'SinglePassEngine' });

  const health = await call('GET', `${url}/health`);
  const ready = await call('GET', `${url}/health/ready`);
  const live = await call('GET', `${url}/health/live`);

  expect(health).toMatchObject({ status: 200 });
  expect(health.body).toEqual({
    status: 'healthy',
    service: 'llmgine-api',
    timestamp: DATE,
    uptime: expect.any(Number),
  });
  expect(ready.body).toEqual({
    status: 'ready',
    timestamp: DATE,
    services: {
      sessions: { initialized: true, monitor_running: true, count: 2 },
      engines: { initialized: true, monitor_running: true, count: 1 },
    },
  });
  expect(live.body).toEqual({ status: 'alive', timestamp: DATE, pid: null });
});

it('tells its process id in debug mode only', async () => {
  const { url } = await startApp({ config: { debug: true } });

  expect((await call('GET', `${url}/health/live`)).body.pid).toBe(process.pid);
});

it('is not ready while its storage fails, and alive all the same', async () => {
  const { app, url } = await startApp();
  app.services.storage.check = () => Promise.reject(new Error('no disk'));

  const ready = await call('GET', `${url}/health/ready`);
  const live = await call('GET', `${url}/health/live`);

  expectProblem(ready, 'UNAVAILABLE');
  expect(ready.body.detail).toContain('storage');
  expect(live.status).toBe(200);
});

it('does not wait for a storage that never answers', async () => {
  const { app, url } = await startApp();
  app.services.storage.check = () => new Promise(() => {});

  expectProblem(await call('GET', `${url}/health/ready`), 'UNAVAILABLE');
});

it('is not ready while it drains, and goes on answering', async () => {
  const { app, url } = await startApp();
  app.services.lifecycle.draining = true;

  const ready = await call('GET', `${url}/health/ready`);

  expectProblem(ready, 'UNAVAILABLE');
  expect(ready.body.detail).toContain('stopping');
  expect(ready.headers.get('retry-after')).toBe('5');
  expect((await call('GET', `${url}/api/sessions`)).status).toBe(200);
});
