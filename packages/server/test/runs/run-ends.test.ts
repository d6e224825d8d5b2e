/** A run always ends, whatever its engine does: once, and nothing follows. */
import { randomUUID } from 'node:crypto';
import { ApiError } from '@llmgine/protocol';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { say, type TestRun, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../src/extensibility/factory.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';

async function startWith(run: TestRun, config: object = {}) {
  const app = await startApp({ apiFactory: testEngine(run), config });
  const open = async () => {
    const id = await app.createSession({ engine_type: 'TestEngine' });
    return { id, socket: await TestSocket.open(app.wsUrl(id)) };
  };
  return { ...app, open };
}

/** What no run may leave behind. */
async function expectEnded(url: string, id: string, runId: string, status: string) {
  const run = await call('GET', `${url}/api/sessions/${id}/runs/${runId}`);
  expect(run.body.status).toBe(status);
  const { events } = (await call('GET', `${url}/api/sessions/${id}/events`)).body;
  const types = events
    .filter(({ run_id }: { run_id?: string }) => run_id === runId)
    .map(({ event_type }: { event_type: string }) => event_type);
  expect(types.filter((type: string) => type === 'run_finished')).toEqual(['run_finished']);
  expect(types.at(-1)).toBe('run_finished');
}

test('the deadline ends a run with RUN_TIMEOUT, also one whose engine does not listen', async () => {
  const { url, open } = await startWith(
    async (context) => {
      say(context, 'm', 'half');
      await new Promise(() => {});
    },
    { runTimeout: 0.1 },
  );
  const { id, socket } = await open();
  const result = await socket.run('act', {});
  expect(result).toMatchObject({ status: 'failed', result: null, error: { code: 'RUN_TIMEOUT' } });
  expect(result.error.message).toContain('0.1 seconds');
  await socket.findEvent('message_discarded');
  await expectEnded(url, id, result.run_id, 'failed');
});

test.each([false, true])(
  'an engine that throws fails the run; its text is shown in debug mode only (%s)',
  async (debug) => {
    const { url, open } = await startWith(
      () => {
        throw new TypeError('secret detail');
      },
      { debug },
    );
    const { id, socket } = await open();
    const result = await socket.run('act', {});
    expect(result).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
    expect(JSON.stringify(result).includes('secret detail')).toBe(debug);
    await expectEnded(url, id, result.run_id, 'failed');
  },
);

test('an engine that throws an ApiError fails the run with its code and text', async () => {
  const { open } = await startWith(() => {
    throw new ApiError('TOOL_ERROR', 'The oven is cold');
  });
  const { socket } = await open();
  expect(await socket.run('act', {})).toMatchObject({
    status: 'failed',
    error: { code: 'TOOL_ERROR', message: 'The oven is cold' },
  });
});

const circular: Record<string, unknown> = {};
circular.self = circular;

test.each([
  ['a bigint', 1n],
  ['a circle', circular],
  [
    'a getter that throws',
    {
      get x() {
        throw new Error('no');
      },
    },
  ],
  ['an endless nesting', JSON.parse('['.repeat(5000) + ']'.repeat(5000))],
])('a result that is no JSON fails the run: %s', async (_what, value) => {
  const { url, open } = await startWith(() => value);
  const { id, socket } = await open();
  const result = await socket.run('act', {});
  expect(result).toMatchObject({ status: 'failed', result: null, error: { code: 'INTERNAL_ERROR' } });
  await expectEnded(url, id, result.run_id, 'failed');
});

test.each([
  ['nothing', undefined, null],
  ['a function', () => 1, null],
  ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['a number that JSON has not', Number.NaN, null],
  ['half a surrogate pair', '\ud83e', '\ud83e'],
  ['a null character', 'a\0b', 'a\0b'],
])('a result is what JSON makes of it: %s', async (_what, value, json) => {
  const { open } = await startWith(() => value);
  const { socket } = await open();
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed', result: json });
});

test.each([
  ['fails', true],
  ['returns', false],
])('the signal of a run whose engine %s is aborted: %s', async (end, aborted) => {
  const signals: AbortSignal[] = [];
  const { open } = await startWith(({ signal, parameters }) => {
    signals.push(signal);
    if (parameters.end === 'fails') throw new Error('no');
  });
  const { socket } = await open();
  await socket.run('act', { end });
  // The run before it is over in every respect.
  await socket.run('act', { end: 'returns' });
  expect(signals[0]?.aborted).toBe(aborted);
});

test('what an engine emits after it has returned goes nowhere', async () => {
  const late = testGate();
  const { url, open } = await startWith((context) => {
    const afterwards = async () => {
      await late.pass();
      say(context, 'late', 'too late');
      context.emit({ event_type: 'custom:late', payload: {} });
      await context.drain();
    };
    void afterwards();
    return 'done';
  });
  const { id, socket } = await open();
  const result = await socket.run('act', {});
  late.open();
  await socket.request('event', { event_type: 'custom:end' });
  await expectEnded(url, id, result.run_id, 'completed');
  const { body } = await call('GET', `${url}/api/sessions/${id}/events`);
  expect(body.events.map(({ event_type }: { event_type: string }) => event_type)).not.toContain(
    'custom:late',
  );
});

test('an engine that never stops to emit does not keep its run from ending', async () => {
  let stopped = false;
  const { url, open } = await startWith((context) => {
    const flood = () => {
      if (stopped) return;
      context.emit({ event_type: 'custom:flood', payload: {} });
      setImmediate(flood);
    };
    flood();
    return 'done';
  });
  const { id, socket } = await open();
  const result = await socket.run('act', {}, { stream: false });
  stopped = true;
  expect(result).toMatchObject({ status: 'completed', result: 'done' });
  await expectEnded(url, id, result.run_id, 'completed');
});

const mistakes: [string, unknown][] = [
  ['no payload', { event_type: 'custom:x' }],
  ['a payload that is no object', { event_type: 'custom:x', payload: 'text' }],
  ['a payload that is no JSON', { event_type: 'custom:x', payload: { n: 1n } }],
  ['no text', { event_type: 'text_delta', payload: { message_id: 'm' } }],
  ['a number as text', { event_type: 'text_delta', payload: { message_id: 'm', text: 7 } }],
  ['a delta of no message', { event_type: 'text_delta', payload: { text: 'x' } }],
  ['half a message', { event_type: 'message_completed', payload: { message_id: 'm', role: 'assistant' } }],
  ['a role that there is not', { event_type: 'message_started', payload: { message_id: 'm', role: 'boss' } }],
  ['an event of the server', { event_type: 'run_finished', payload: { status: 'completed' } }],
  ['an unknown event', { event_type: 'no_such_event', payload: {} }],
  ['a custom event without a name', { event_type: 'custom:', payload: {} }],
  ['nothing', undefined],
];

test.each(mistakes)('an engine that emits %s fails alone', async (_what, event) => {
  const both = testGate();
  const { url, open } = await startWith(async (context) => {
    if (context.parameters.wrong) context.emit(event as never);
    else {
      say(context, 'm', 'well');
      await both.pass();
    }
    return 'done';
  });
  const [bad, good] = [await open(), await open()];
  const other = good.socket.run('act', {});
  await both.reached;

  const result = await bad.socket.run('act', { wrong: true });

  both.open();
  expect(result).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
  expect(await other).toMatchObject({ status: 'completed' });
  await expectEnded(url, bad.id, result.run_id, 'failed');
  expect(await bad.socket.run('act', {})).toMatchObject({ status: 'completed' });
});

test('a flood of text is held back, and arrives whole', async () => {
  const PIECE = 'x'.repeat(1000);
  const full: number[] = [];
  const { open } = await startWith(async (context) => {
    context.emit({ event_type: 'message_started', payload: { message_id: 'm', role: 'assistant' } });
    for (let n = 0; n < 2000; n++) {
      if (context.emit({ event_type: 'text_delta', payload: { message_id: 'm', text: PIECE } })) continue;
      full.push(n);
      await context.drain();
    }
    return null;
  });
  const { socket } = await open();
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed' });
  const text = socket.events.map(({ payload }) => payload.text ?? '').join('');
  expect(text).toHaveLength(2_000_000);
  expect(full.length).toBeGreaterThan(2);
});

test('an engine that cannot be made any more fails the run and the session, until another is linked', async () => {
  let broken = false;
  const apiFactory = new ExtensibleAPIFactory().registerEngine({
    type: 'Fragile',
    description: 'Breaks',
    config: z.object({}),
    create: () => {
      if (broken) throw new Error('secret detail');
      return { run: async () => 'fine' };
    },
  });
  const { url, wsUrl, createSession } = await startApp({ apiFactory });
  const id = await createSession({ engine_type: 'Fragile' });
  const socket = await TestSocket.open(wsUrl(id));
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ result: 'fine' });
  broken = true;

  const result = await socket.run('prompt', { prompt: 'Hi' });

  expect(result).toMatchObject({ status: 'failed', error: { code: 'ENGINE_CREATION_FAILED' } });
  expect(JSON.stringify(result)).not.toContain('secret');
  expect((await socket.request('status')).data).toMatchObject({
    session_status: 'failed',
    engine_status: 'failed',
  });
  expect((await call('GET', `${url}/api/sessions?status=failed`)).body.total).toBe(1);
  expect((await socket.request('link_engine', { engine_type: 'Fragile' })).data.code).toBe(
    'ENGINE_CREATION_FAILED',
  );
  await socket.request('link_engine', { engine_type: 'ToolChatEngine' });
  expect((await socket.request('status')).data).toMatchObject({
    session_status: 'running',
    engine_status: 'running',
  });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ status: 'completed' });
});

test('deleting the session ends its runs, and whoever waits for them hears that it is gone', async () => {
  const stopped = Promise.withResolvers<string>();
  const at = testGate();
  const { app, url, open } = await startWith(async ({ signal }) => {
    signal.addEventListener('abort', () => stopped.resolve(String(signal.reason)));
    await at.pass();
  });
  const { id, socket } = await open();
  const commands = `${url}/api/sessions/${id}/commands`;
  const runId = randomUUID();
  socket.send({ type: 'command', data: { command: 'act', run_id: runId } });
  await at.reached;
  const waiting = [
    call('POST', commands, { command: 'act', run_id: runId }),
    call('POST', commands, { command: 'act' }),
  ];
  await socket.find(() => socket.events.filter(({ event_type }) => event_type === 'run_queued').length === 2);

  expect((await call('DELETE', `${url}/api/sessions/${id}`)).status).toBe(200);

  expect(await stopped.promise).toContain('session_closed');
  expect(await socket.closed).toMatchObject({ code: 4004 });
  for (const { status, body } of await Promise.all(waiting)) {
    expect([status, body.code]).toEqual([404, 'SESSION_NOT_FOUND']);
  }
  expect((await call('GET', `${url}/api/sessions/${id}/runs/${runId}`)).status).toBe(404);
  await expect.poll(() => app.services.storage.orphanedRuns()).toEqual([]);
  // Another session is not disturbed.
  const other = await open();
  at.open();
  expect(await other.socket.run('act', {})).toMatchObject({ status: 'completed' });
});

test('a full storage during a run fails it as soon as its end can be written', async () => {
  const at = testGate();
  const { app, url, open } = await startWith(async (context) => {
    say(context, 'm', 'half');
    await context.drain();
    await at.pass();
    say(context, 'n', 'more');
    await context.drain();
    return 'unreachable';
  });
  const { id, socket } = await open();
  const result = socket.run('act', {});
  await at.reached;
  const full = vi
    .spyOn(app.services.storage, 'append')
    .mockRejectedValueOnce(new ApiError('STORAGE_FULL'))
    .mockRejectedValueOnce(new ApiError('STORAGE_FULL'));
  at.open();

  expect(await result).toMatchObject({ status: 'failed', error: { code: 'STORAGE_FULL' } });

  expect(full.mock.calls.length).toBeGreaterThanOrEqual(3);
  full.mockRestore();
  await expectEnded(url, id, (await result).run_id, 'failed');
  expect(await call('GET', `${url}/health/ready`)).toMatchObject({ status: 200 });
});

test('a run that cannot be started because the storage is full starts later', async () => {
  const { app, open } = await startWith(() => 'done');
  const { socket } = await open();
  const { append } = app.services.storage;
  let refusals = 1;
  vi.spyOn(app.services.storage, 'append').mockImplementation(async (batch) => {
    const starts = batch.some(({ writes }) => writes?.some(({ kind }) => kind === 'start_run'));
    if (starts && refusals-- > 0) throw new ApiError('STORAGE_FULL');
    return append.call(app.services.storage, batch);
  });

  expect(await socket.run('act', {})).toMatchObject({ status: 'completed', result: 'done' });
  expect(refusals).toBe(-1);
});

test('a storage that cannot be read for a moment delays a run', async () => {
  const { app, open } = await startWith(() => 'done');
  const { socket } = await open();
  const read = vi.spyOn(app.services.storage, 'nextRun').mockRejectedValueOnce(new ApiError('UNAVAILABLE'));
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed', result: 'done' });
  expect(read.mock.calls.length).toBeGreaterThanOrEqual(2);
});

test('a run is executed although whoever is told of its acceptance throws', async () => {
  const { app, createSession } = await startWith(() => 'done');
  const { runs, sessions } = app.services;
  const session = await sessions.get(LOCAL_OPERATOR, await createSession({ engine_type: 'TestEngine' }));
  const body = { command: 'act', parameters: {}, run_id: randomUUID(), on_conflict: 'queue' as const };
  const broken = new Error('the reply cannot be written');

  const started = runs.start(session, body, () => {
    throw broken;
  });

  await expect(started).rejects.toBe(broken);
  expect(await runs.result(session, body.run_id)).toMatchObject({ status: 'completed', result: 'done' });
});

test('a command that cannot be stored is refused, and makes no run', async () => {
  const { app, url, open } = await startWith(() => 'done');
  const { id, socket } = await open();
  const full = vi.spyOn(app.services.storage, 'append').mockRejectedValue(new ApiError('STORAGE_FULL'));
  await expect(socket.run('act', {})).rejects.toThrow('STORAGE_FULL');
  expect(await call('POST', `${url}/api/sessions/${id}/commands`, { command: 'act' })).toMatchObject({
    status: 507,
    body: { code: 'STORAGE_FULL' },
  });
  full.mockRestore();
  expect((await call('GET', `${url}/api/sessions/${id}/runs`)).body.runs).toEqual([]);
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed' });
});
