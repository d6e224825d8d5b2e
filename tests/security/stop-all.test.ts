import { randomUUID } from 'node:crypto';
import { ExtensibleAPIFactory } from '@llmgine/api';
import { ApiError } from '@llmgine/protocol';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { testEngine, testGate } from '../helpers/test-engine.ts';
import { caller, letIn } from './callers.ts';

/** Runs stand still, and do not listen to their signal. Each says that it has begun, and that it was told to stop. */
function stubborn() {
  const begun: string[] = [];
  const aborted: string[] = [];
  const apiFactory = testEngine(async (context) => {
    begun.push(context.runId);
    context.signal.addEventListener('abort', () => aborted.push(context.runId));
    await testGate().pass();
  });
  return { apiFactory, begun, aborted };
}

async function startStubborn(config: object = {}) {
  const engine = stubborn();
  const started = await startApp({ apiFactory: engine.apiFactory, config });
  const headersOf = letIn(started.app, [
    caller('root'),
    caller('ann', { tenantId: 'a' }),
    caller('bob', { tenantId: 'b' }),
    caller('sue', { tenantId: 'a', role: 'user' }),
    caller('vic', { role: 'viewer' }),
  ]);
  /** A session of that caller with so many commands in it. */
  const withRuns = async (id: string, count: number) => {
    const headers = headersOf(id);
    const session = await call('POST', `${started.url}/api/sessions`, { engine_type: 'TestEngine' }, headers);
    const path = `${started.url}/api/sessions/${session.body.session_id}`;
    const runIds = Array.from({ length: count }, () => randomUUID());
    for (const run_id of runIds) {
      const body = { command: 'act', parameters: {}, run_id };
      const answer = await call('POST', `${path}/commands`, body, {
        ...headers,
        Prefer: 'respond-async',
      });
      expect(answer.status).toBe(202);
    }
    const statuses = async () => {
      const { body } = await call('GET', `${path}/runs`, undefined, headers);
      return (body.runs as { status: string }[]).map(({ status }) => status);
    };
    return { path, runIds, statuses, headers };
  };
  const stop = (id: string, body?: object) =>
    call('POST', `${started.url}/api/admin/stop`, body, headersOf(id));
  return { ...started, ...engine, headersOf, withRuns, stop };
}

describe.each(STORAGES)('check 34 (AISVS 9.6.1), on %s: the kill switch', (_storage, data) => {
  test('cancels what runs and what waits, also of engines that do not listen', async () => {
    const { url, headersOf, withRuns, stop, begun, aborted } = await startStubborn(await data());
    const one = await withRuns('root', 3);
    const other = await withRuns('ann', 2);
    await expect.poll(() => begun.length).toBe(2);

    const answer = await stop('root', { reason: 'a drill' });

    expect(answer).toMatchObject({ status: 200, body: { stopped: 5 } });
    const { body: log } = await call(
      'GET',
      `${url}/api/admin/audit?action=admin.stop`,
      undefined,
      headersOf('root'),
    );
    expect(log.entries).toMatchObject([
      { outcome: 'success', principal: { id: 'root' }, details: { reason: 'a drill', stopped: 5 } },
    ]);
    expect(await one.statuses()).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(await other.statuses()).toEqual(['cancelled', 'cancelled']);
    expect(aborted.sort()).toEqual(begun.sort());
    // None of those that waited has begun in between and been forgotten.
    expect(await stop('root')).toMatchObject({ status: 200, body: { stopped: 0 } });
  });

  test('of a tenant leaves the others alone', async () => {
    const { withRuns, stop, begun } = await startStubborn(await data());
    const ours = await withRuns('ann', 2);
    const theirs = await withRuns('bob', 2);
    await expect.poll(() => begun.length).toBe(2);

    expect((await stop('root', { tenant_id: 'a' })).body).toEqual({ stopped: 2 });

    expect(await ours.statuses()).toEqual(['cancelled', 'cancelled']);
    expect((await theirs.statuses()).sort()).toEqual(['queued', 'running']);
  });
});

test('check 34: an admin of a tenant stops its runs, and nobody else anything', async () => {
  const { withRuns, stop, begun } = await startStubborn();
  const ours = await withRuns('ann', 1);
  const theirs = await withRuns('bob', 1);
  await expect.poll(() => begun.length).toBe(2);

  expect(await stop('ann', { tenant_id: 'b' })).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  for (const id of ['sue', 'vic']) expect((await stop(id)).status).toBe(403);
  expect(await theirs.statuses()).toEqual(['running']);
  expect((await stop('ann')).body).toEqual({ stopped: 1 });

  expect(await ours.statuses()).toEqual(['cancelled']);
  expect(await theirs.statuses()).toEqual(['running']);
});

test('check 34: 2,000 waiting runs in 20 sessions end, and others are answered in between', async () => {
  const { app, url, withRuns, stop } = await startStubborn({
    maxSessions: 1000,
    requestRate: 1_000_000,
    addressRate: 1_000_000,
  });
  for (let count = 0; count < 20; count++) await withRuns('root', 100);
  let answered = 0;
  const { append } = app.services.storage;
  vi.spyOn(app.services.storage, 'append').mockImplementation(async (batch) => {
    // A caller that comes between two commits has its answer before the next but one.
    if ((await fetch(`${url}/health/live`)).ok) answered++;
    return append.call(app.services.storage, batch);
  });

  expect((await stop('root')).body).toEqual({ stopped: 2000 });

  expect(answered).toBeGreaterThan(10);
  expect(await app.services.storage.unfinishedRuns({ limit: 1 })).toMatchObject({ runs: [] });
});

test('check 34: runs that begin while it works are stopped too', async () => {
  const { app, withRuns, stop, begun } = await startStubborn();
  await withRuns('root', 2);
  await expect.poll(() => begun.length).toBe(1);
  const { storage } = app.services;
  const pages = storage.unfinishedRuns.bind(storage);
  let late: Awaited<ReturnType<typeof withRuns>> | undefined;
  vi.spyOn(storage, 'unfinishedRuns').mockImplementation(async (options) => {
    const page = await pages(options);
    late ??= await withRuns('ann', 2);
    return page;
  });

  expect((await stop('root')).body).toEqual({ stopped: 4 });

  expect(await late?.statuses()).toEqual(['cancelled', 'cancelled']);
});

test('check 34: what runs here stops although the storage fails, and asking again does the rest', async () => {
  const { app, withRuns, stop, begun, aborted } = await startStubborn();
  const { statuses } = await withRuns('root', 2);
  await expect.poll(() => begun.length).toBe(1);
  const failing = vi
    .spyOn(app.services.storage, 'unfinishedRuns')
    .mockRejectedValue(new ApiError('UNAVAILABLE', undefined, { retryAfter: 1 }));

  const answer = await stop('root');

  expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  expect(aborted).toContain(begun[0]);
  failing.mockRestore();
  await stop('root');
  expect(await statuses()).toEqual(['cancelled', 'cancelled']);
});

test('check 34: a run in another process on one Postgres ends, and can write nothing more', async () => {
  const config = await STORAGES[1]?.[1]();
  const here = await startStubborn(config);
  const there = await startStubborn(config);
  const { statuses } = await there.withRuns('root', 2);
  await expect.poll(() => there.begun.length).toBe(1);

  expect((await here.stop('root')).body).toEqual({ stopped: 2 });

  expect(await statuses()).toEqual(['cancelled', 'cancelled']);
});

test('check 34: a parked run is cancelled with what it had asked', async () => {
  const { url, createSession } = await startApp({
    apiFactory: new ExtensibleAPIFactory().registerEngine({
      type: 'Asker',
      description: 'Asks for approval',
      config: z.object({}),
      resumable: true,
      create: () => ({
        run: async (context) => {
          await context.ask({ key: 'q', kind: 'approval', prompt: 'May I?' });
          return null;
        },
      }),
    }),
  });
  const path = `${url}/api/sessions/${await createSession({ engine_type: 'Asker' })}`;
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };
  const { body } = await call('POST', `${path}/commands`, prompt);
  expect(body.status).toBe('awaiting_input');

  expect((await call('POST', `${url}/api/admin/stop`)).body).toEqual({ stopped: 1 });

  expect((await call('GET', `${path}/runs/${body.run_id}`)).body.status).toBe('cancelled');
  const request = await call('GET', `${path}/requests/${body.request_id}`);
  expect(request.body).toMatchObject({ status: 'resolved', outcome: 'cancelled' });
});
