import { randomUUID } from 'node:crypto';
import { ExtensibleAPIFactory } from '@llmgine/api';
import { ApiError } from '@llmgine/protocol';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createRun, event, NO_LIMIT, newRun } from '../contracts/storage/fixtures.ts';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
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

  expect(answered).toBeGreaterThanOrEqual(4);
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

/** Each run asks twice, and is parked. */
function asker() {
  return new ExtensibleAPIFactory().registerEngine({
    type: 'Asker',
    description: 'Asks for approval',
    config: z.object({}),
    resumable: true,
    create: () => ({
      run: async (context) => {
        const ask = (key: string) => context.ask({ key, kind: 'approval', prompt: 'May I?' });
        await Promise.all([ask('one'), ask('two')]);
        return null;
      },
    }),
  });
}

describe.each(STORAGES)('check 34, on %s: runs that wait', (_storage, data) => {
  test('end with what they had asked, and whoever watches sees it', async () => {
    const { app, url, createSession } = await startApp({ apiFactory: asker(), config: await data() });
    const path = `${url}/api/sessions/${await createSession({ engine_type: 'Asker' })}`;
    const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };
    const { body: parked } = await call('POST', `${path}/commands`, prompt);
    const { body: queued } = await call('POST', `${path}/commands`, prompt, { Prefer: 'respond-async' });
    expect(parked.status).toBe('awaiting_input');
    const stream = await TestStream.open(`${path}/events`);
    const one = vi.spyOn(app.services.storage, 'requestsOfRun');

    expect((await call('POST', `${url}/api/admin/stop`)).body).toEqual({ stopped: 2 });

    expect(one).not.toHaveBeenCalled();

    await stream.findEvent('run_finished', parked.run_id);
    const { events } = (await call('GET', `${path}/events`)).body as {
      events: { seq: number; event_type: string; run_id: string; payload: Record<string, unknown> }[];
    };
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const ends = events.slice(-4).map(({ event_type, run_id, payload }) => [event_type, run_id, payload]);
    const resolved = (requestId: unknown) => ({ request_id: requestId, by: 'system', outcome: 'cancelled' });
    const asked = events.filter(({ event_type }) => event_type === 'input_requested');
    const end = expect.objectContaining({ status: 'cancelled' });
    expect(ends).toEqual([
      ['run_finished', queued.run_id, end],
      ...asked.map(({ payload }) => ['input_resolved', parked.run_id, resolved(payload.request_id)]),
      ['run_finished', parked.run_id, end],
    ]);
    expect(stream.events.slice(-4).map(({ event }) => event)).toEqual(ends.map(([type]) => type));
    expect((await call('GET', `${path}/runs/${parked.run_id}`)).body.status).toBe('cancelled');
    const request = await call('GET', `${path}/requests/${parked.request_id}`);
    expect(request.body).toMatchObject({ status: 'resolved', outcome: 'cancelled' });
    // The session goes on.
    const next = await call('POST', `${path}/commands`, prompt);
    expect(next.body.status).toBe('awaiting_input');
  });

  test('take one statement to read a slice of 500, and none for each of them', async () => {
    const { app, withRuns, stop, begun } = await startStubborn(await data());
    const { path, headers } = await withRuns('root', 1);
    await expect.poll(() => begun.length).toBe(1);
    const { storage } = app.services;
    const [session] = (await storage.unfinishedRuns({ limit: 1 })).runs;
    const engine = session && (await storage.getSession(session))?.engine;
    if (!session || !engine) throw new Error('nothing runs');
    const runs = Array.from({ length: 600 }, () => newRun({ ...engine, engineConfig: {}, command: 'act' }));
    const queued = runs.map((run) => ({
      session,
      events: [event('run_queued', { runId: run.runId })],
      writes: [createRun(run, NO_LIMIT)],
    }));
    expect((await storage.append(queued)).every(({ ok }) => ok)).toBe(true);
    const pages = vi.spyOn(storage, 'waitingRuns');
    const each = [
      vi.spyOn(storage, 'getRun'),
      vi.spyOn(storage, 'requestsOfRun'),
      vi.spyOn(storage, 'nextRun'),
    ];

    expect((await stop('root')).body).toEqual({ stopped: 601 });

    // A page that is not full is the last.
    const sizes = await Promise.all(pages.mock.results.map(async ({ value }) => (await value).runs.length));
    expect(sizes).toEqual([500, 100]);
    expect(each.reduce((calls, spy) => calls + spy.mock.calls.length, 0)).toBeLessThan(20);
    const last = await call('GET', `${path}/runs?limit=1`, undefined, headers);
    expect(last.body.runs).toMatchObject([{ status: 'cancelled' }]);
  });

  test('that go on just then end all the same, and none begins meanwhile', async () => {
    const { app, withRuns, stop, begun } = await startStubborn({ ...(await data()), maxConcurrentRuns: 1 });
    const running = await withRuns('root', 1);
    await expect.poll(() => begun.length).toBe(1);
    const queued = await withRuns('root', 2);
    const { storage } = app.services;
    const { append } = storage;
    const [session] = (await storage.unfinishedRuns({ limit: 1 })).runs;
    // After it was read that the run waits, and before its end is written, another process takes it.
    const pages = storage.waitingRuns.bind(storage);
    vi.spyOn(storage, 'waitingRuns').mockImplementationOnce(async (options) => {
      const page = await pages(options);
      const [runId = ''] = queued.runIds;
      if (session) {
        const write = { kind: 'start_run', runId, attempt: 1, at: Date.now() } as const;
        const [taken] = await append.call(storage, [{ session, events: [], writes: [write] }]);
        expect(taken?.ok).toBe(true);
      }
      return page;
    });

    expect((await stop('root')).body).toEqual({ stopped: 3 });

    expect([...(await running.statuses()), ...(await queued.statuses())]).toEqual(Array(3).fill('cancelled'));
    expect(begun).toEqual(running.runIds);
  });
});

test('check 34: two admins at once, in two processes on one Postgres, end each run once', async () => {
  const config = await STORAGES[1]?.[1]();
  const here = await startStubborn(config);
  const there = await startStubborn(config);
  const { path, runIds, headers } = await here.withRuns('root', 30);
  await expect.poll(() => here.begun.length).toBe(1);

  const answers = await Promise.all([here.stop('root'), there.stop('root'), here.stop('root')]);

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const { body } = await call('GET', `${path}/events?limit=100`, undefined, headers);
  const events = body.events as { seq: number; event_type: string; run_id: string; payload: object }[];
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const ends = events.filter(({ event_type }) => event_type === 'run_finished');
  expect(ends.map(({ run_id }) => run_id).sort()).toEqual(runIds.toSorted());
  expect(ends.every(({ payload }) => 'status' in payload && payload.status === 'cancelled')).toBe(true);
});

test('check 34: what waits for a place does not get that of a run that is stopped', async () => {
  const { app, url, withRuns, stop, begun } = await startStubborn({ maxConcurrentRuns: 1 });
  const first = await withRuns('root', 1);
  await expect.poll(() => begun.length).toBe(1);
  await withRuns('ann', 1);
  await withRuns('bob', 1);
  const { storage } = app.services;
  const pages = storage.waitingRuns.bind(storage);
  vi.spyOn(storage, 'waitingRuns').mockImplementation(async (options) => {
    // The first has ended by now; whatever could begin in its place has time for it.
    for (let count = 0; count < 20; count++) await fetch(`${url}/health/ready`);
    return pages(options);
  });

  expect((await stop('root')).body).toEqual({ stopped: 3 });

  expect(begun).toEqual(first.runIds);
});

test('check 34: what was held meanwhile begins afterwards', async () => {
  const { app, withRuns, stop, begun } = await startStubborn();
  const { storage } = app.services;
  const pages = storage.unfinishedRuns.bind(storage);
  let calls = 0;
  let late: Awaited<ReturnType<typeof withRuns>> | undefined;
  vi.spyOn(storage, 'unfinishedRuns').mockImplementation(async (options) => {
    const page = await pages(options);
    // Behind the back of the last look.
    if (++calls === 2) late = await withRuns('root', 1);
    return page;
  });

  expect((await stop('root')).body).toEqual({ stopped: 0 });

  await expect.poll(() => begun).toEqual(late?.runIds);
});

test('check 34: what could not be ended goes on behind what was', async () => {
  const { app, url, createSession } = await startApp({ apiFactory: asker() });
  const path = `${url}/api/sessions/${await createSession({ engine_type: 'Asker' })}`;
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };
  const { body: parked } = await call('POST', `${path}/commands`, prompt);
  const { body: queued } = await call('POST', `${path}/commands`, prompt, { Prefer: 'respond-async' });
  const { storage } = app.services;
  const pages = storage.waitingRuns.bind(storage);
  vi.spyOn(storage, 'waitingRuns').mockImplementationOnce(async (options) => {
    const { runs } = await pages(options);
    // The storage fails after the end of one of them.
    const error = new ApiError('UNAVAILABLE', undefined, { retryAfter: 1 });
    vi.spyOn(storage, 'unfinishedRuns').mockRejectedValueOnce(error);
    return { runs: runs.filter(({ runId }) => runId === parked.run_id), next: null };
  });

  expect((await call('POST', `${url}/api/admin/stop`)).status).toBe(503);

  const status = async (runId: string) => (await call('GET', `${path}/runs/${runId}`)).body.status;
  expect(await status(parked.run_id)).toBe('cancelled');
  await expect.poll(() => status(queued.run_id)).toBe('awaiting_input');
});

test('check 34: of a tenant holds nobody else', async () => {
  const { app, withRuns, stop, begun } = await startStubborn();
  const { storage } = app.services;
  const pages = storage.unfinishedRuns.bind(storage);
  let others: Awaited<ReturnType<typeof withRuns>> | undefined;
  vi.spyOn(storage, 'unfinishedRuns').mockImplementationOnce(async (options) => {
    others = await withRuns('bob', 1);
    await expect.poll(() => begun.length).toBe(1);
    return pages(options);
  });

  expect((await stop('ann')).body).toEqual({ stopped: 0 });

  expect(await others?.statuses()).toEqual(['running']);
});
