/** F12: the wall clock is set by an hour, either way. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';

const HOUR_MS = 3_600_000;

/** It goes on from there. */
function setClock(ms: number): void {
  const { now } = Date;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
  onTestFinished(() => clock.mockRestore());
}

test.each([HOUR_MS, -HOUR_MS])(
  'a clock that is set by %i ms expires no session that was just used',
  async (step) => {
    const { app, url, createSession } = await startApp({ config: { sessionTimeout: 60, maxSessions: 1 } });
    const id = await createSession();

    setClock(step);

    expect((await call('GET', `${url}/api/sessions/${id}`)).status).toBe(200);
    expect((await call('GET', `${url}/api/sessions`)).body).toMatchObject({ total: 1 });
    // Looks for sessions that are due.
    expect((await call('POST', `${url}/api/sessions`)).body.code).toBe('RESOURCE_LIMIT_EXCEEDED');
    expect(await app.services.storage.counts()).toMatchObject({ sessions: 1 });
  },
);

test('a session expires by the time that has passed, however the clock was set', async () => {
  const { url, createSession } = await startApp({ config: { sessionTimeout: 0.2 } });
  const began = performance.now();
  const id = await createSession();
  setClock(HOUR_MS);
  await expect.poll(async () => (await call('GET', `${url}/api/sessions/${id}`)).status).toBe(404);
  // Clocks that count whole milliseconds.
  expect(performance.now() - began).toBeGreaterThan(195);
});

test('the log keeps its order while the clock goes back', async () => {
  const { url, createSession } = await startApp();
  const events = `${url}/api/sessions/${await createSession()}/events`;
  const publish = (n: number) => call('POST', events, { event_type: 'custom:n', payload: { n } });
  await publish(1);
  setClock(-HOUR_MS);
  await publish(2);

  const { body } = await call('GET', events);

  expect(
    body.events.map(({ seq, payload }: { seq: number; payload: { n: number } }) => [seq, payload.n]),
  ).toEqual([
    [1, 1],
    [2, 2],
  ]);
  const [one, two] = body.events.map(({ created_at }: { created_at: string }) => Date.parse(created_at));
  expect(one - two).toBeGreaterThan(HOUR_MS / 2);
});
