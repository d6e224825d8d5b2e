/** Requests to people, end to end: approvals, forms and client tools over every transport, and across restarts. */
import { randomUUID } from 'node:crypto';
import { defineTool, type EngineContext, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type StartOptions, startApp, type TestApp } from '../helpers/app.ts';
import { startTestModels } from '../helpers/model-app.ts';
import type { ModelServer } from '../helpers/model-server.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const PAY = { to: 'Ada', amount: 3 };

/** An application with a tool that needs approval, one that a client executes, and one that does not wait. */
async function bank(models?: ModelServer) {
  const server = models ?? (await startTestModels());
  const paid: object[] = [];
  const apiFactory = () =>
    new ExtensibleAPIFactory()
      .registerTool(
        defineTool({
          name: 'pay',
          description: 'Pays somebody',
          parameters: z.object({ to: z.string(), amount: z.number() }),
          approval: ({ amount }) => amount > 1,
          execute: (args) => {
            paid.push(args);
            return { paid: args.amount };
          },
        }),
      )
      .registerTool(
        defineTool({
          name: 'locate',
          description: 'Where the device is',
          parameters: z.object({}),
          client: true,
          result: z.object({ city: z.string() }),
        }),
      );
  const start = (config: StartOptions['config'] = {}): Promise<TestApp> =>
    startApp({
      apiFactory: apiFactory(),
      env: { OPENAI_BASE_URL: server.baseUrl },
      config: { model: 'openai-compatible:x', ...config },
    });
  const asks = (...toolCalls: { name: string; arguments: object; id?: string }[]) =>
    server.script({ steps: [{ toolCalls }] }, { steps: [{ text: 'Done.' }] });
  /** What the model was told of its calls. */
  const told = () =>
    server.requests
      .at(-1)
      ?.body.messages.filter(({ role }) => role === 'tool')
      .map(({ content }) => content);
  return { models: server, paid, start, asks, told };
}

const chat = (app: TestApp) => app.createSession({ engine_type: 'ToolChatEngine' });
const prompt = (app: TestApp, id: string, more: object = {}) =>
  call('POST', `${app.url}/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'Pay Ada' },
    ...more,
  });
const answer = (app: TestApp, id: string, requestId: string, body: object) =>
  call('POST', `${app.url}/api/sessions/${id}/requests/${requestId}`, body);

test('an approval is asked of everybody, answered by one, and the run streams on to all', async () => {
  const { start, asks, paid, told } = await bank();
  const app = await start();
  const id = await chat(app);
  const [first, second] = [await TestSocket.open(app.wsUrl(id)), await TestSocket.open(app.wsUrl(id))];
  for (const socket of [first, second]) await socket.request('subscribe');
  asks({ name: 'pay', arguments: PAY });

  const parked = await prompt(app, id);

  const { run_id, request_id } = parked.body;
  expect(parked).toMatchObject({ status: 202, body: { status: 'awaiting_input', request_id } });
  const asked = { request_id, kind: 'approval', tool_name: 'pay', arguments: PAY, schema: null };
  for (const socket of [first, second]) {
    expect((await socket.findEvent('input_requested')).data).toMatchObject({ run_id, payload: asked });
  }
  const pending = { ...asked, run_id, status: 'pending', outcome: null, by: null, claimed_until: null };
  const list = `${app.url}/api/sessions/${id}/requests`;
  expect((await call('GET', list)).body).toMatchObject({ requests: [pending], next: null });
  expect((await call('GET', `${list}/${request_id}`)).body).toMatchObject(pending);
  expect((await second.request('history')).data.pending_requests).toMatchObject([pending]);
  await expect
    .poll(async () => (await call('GET', `${app.url}/api/sessions/${id}/runs/${run_id}`)).body.status)
    .toBe('awaiting_input');
  expect(paid).toEqual([]);

  const accepted = await second.request('server_response', { request_id, outcome: 'approved' });

  expect(accepted).toMatchObject({
    type: 'server_response_accepted',
    data: { request_id, outcome: 'approved' },
  });
  for (const socket of [first, second]) {
    await socket.findEvent('run_finished', run_id);
    const types = socket.events
      .filter((event) => event.run_id === run_id)
      .map(({ event_type }) => event_type);
    expect(types.slice(types.indexOf('input_requested'))).toEqual([
      'input_requested',
      'input_resolved',
      'status',
      'tool_call',
      'tool_result',
      'message_completed',
      'step_started',
      'message_started',
      'text_delta',
      'message_completed',
      'step_finished',
      'run_finished',
    ]);
  }
  expect(second.frames.indexOf(accepted)).toBeLessThan(
    second.frames.findIndex(({ data }) => data.event_type === 'input_resolved'),
  );
  expect(paid).toEqual([PAY]);
  expect(told()).toEqual(['{"paid":3}']);
  expect((await call('GET', list)).body.requests).toMatchObject([
    { status: 'resolved', outcome: 'approved', by: 'operator', resolved_at: expect.any(String) },
  ]);
  expect((await call('GET', `${list}?status=pending`)).body.requests).toEqual([]);
  expect((await prompt(app, id, { run_id })).body).toMatchObject({
    status: 'completed',
    result: { text: 'Done.' },
  });
});

test.each(STORAGES)(
  'a parked run outlives its process, and is answered by another client over REST (P2, P6): %s',
  async (_, data) => {
    const { start, asks, paid } = await bank();
    const config = await data();
    const before = await start(config);
    const id = await chat(before);
    asks({ name: 'pay', arguments: PAY });
    const { run_id, request_id } = (await prompt(before, id)).body;
    await before.app.close();

    const after = await start(config);
    const watcher = await TestSocket.open(after.wsUrl(id));
    await watcher.request('subscribe');
    expect((await call('GET', `${after.url}/api/sessions/${id}/runs/${run_id}`)).body.status).toBe(
      'awaiting_input',
    );
    const again = await prompt(after, id, { run_id });
    const parked = { status: 202, body: { run_id, status: 'awaiting_input', request_id } };
    expect(again).toMatchObject(parked);
    const async = { command: 'prompt', parameters: { prompt: 'Pay Ada' }, run_id };
    const prefer = { prefer: 'respond-async' };
    expect(await call('POST', `${after.url}/api/sessions/${id}/commands`, async, prefer)).toMatchObject(
      parked,
    );

    expect(await answer(after, id, request_id, { outcome: 'approved' })).toMatchObject({
      status: 200,
      body: { request_id, outcome: 'approved' },
    });

    expect((await watcher.findEvent('run_finished', run_id)).data.payload).toMatchObject({
      status: 'completed',
    });
    expect(watcher.events.filter(({ event_type }) => event_type === 'text_delta')).toMatchObject([
      { payload: { text: 'Done.' } },
    ]);
    expect(paid).toEqual([PAY]);
  },
);

test.each([
  ['denied', { outcome: 'denied', reason: 'too much' }, /denied.*Reason: too much/],
  ['not answered in time', null, /Nobody approved the call in time/],
] as const)(
  'check 32 (AISVS 9.6.2): a call that is %s is not executed, and the model is told',
  async (_, given, text) => {
    const { start, asks, paid, told } = await bank();
    // The clock of the run stands still while it waits: it may wait longer than it may run.
    const app = await start(given ? {} : { requestTimeout: 0.4, runTimeout: 0.3 });
    const id = await chat(app);
    const socket = await TestSocket.open(app.wsUrl(id));
    await socket.request('subscribe');
    asks({ name: 'pay', arguments: PAY });
    const { request_id, run_id } = (await prompt(app, id)).body;

    if (given) expect((await answer(app, id, request_id, given)).status).toBe(200);

    expect((await socket.findEvent('run_finished', run_id)).data.payload).toMatchObject({
      status: 'completed',
    });
    expect((await socket.findEvent('input_resolved')).data.payload).toEqual({
      request_id,
      by: given ? 'operator' : 'system',
      outcome: given ? 'denied' : 'expired',
    });
    expect(paid).toEqual([]);
    expect(told()?.[0]).toMatch(text);
    const late = await answer(app, id, request_id, { outcome: 'approved' });
    expect(late).toMatchObject(
      given
        ? { status: 409, body: { code: 'REQUEST_ALREADY_ANSWERED' } }
        : { status: 410, body: { code: 'REQUEST_EXPIRED' } },
    );
  },
);

test('what a process has asked that is gone expires in another one, which goes on with the run (P6)', async () => {
  const { start, asks, paid } = await bank();
  const { url: databaseUrl } = await testDatabase();
  const config = { databaseUrl, runLease: 0.6, requestTimeout: 1 };
  const [other, first] = [await start(config), await start(config)];
  const id = await chat(first);
  asks({ name: 'pay', arguments: PAY });
  const { run_id } = (await prompt(first, id)).body;
  const watcher = await TestSocket.open(other.wsUrl(id));
  await watcher.request('subscribe');

  await first.app.close();

  const finished = await watcher.findEvent('run_finished', run_id);
  expect(finished.data.payload).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
  expect((await watcher.findEvent('input_resolved')).data.payload).toMatchObject({ outcome: 'expired' });
  expect(paid).toEqual([]);
});

test('check 32 (AISVS 9.2.8): of many answers at once the first one wins, and the same again is the same (P5)', async () => {
  const { start, asks, paid } = await bank();
  const app = await start();
  const id = await chat(app);
  asks({ name: 'pay', arguments: PAY });
  const { request_id, run_id } = (await prompt(app, id)).body;

  const given = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? 'approved' : 'denied'));
  const answers = await Promise.all(given.map((outcome) => answer(app, id, request_id, { outcome })));

  const won = (await call('GET', `${app.url}/api/sessions/${id}/requests/${request_id}`)).body.outcome;
  for (const [n, { status, body }] of answers.entries()) {
    if (given[n] === won) expect([status, body]).toEqual([200, { request_id, outcome: won }]);
    else expect([status, body.code]).toEqual([409, 'REQUEST_ALREADY_ANSWERED']);
  }
  await prompt(app, id, { run_id });
  expect(paid).toHaveLength(won === 'approved' ? 1 : 0);
});

test('calls that wait for nobody are executed meanwhile, and all answers come together', async () => {
  const { start, asks, paid, told } = await bank();
  const app = await start();
  const id = await chat(app);
  asks(
    { name: 'pay', arguments: { to: 'Bob', amount: 1 } },
    { name: 'pay', arguments: PAY },
    { name: 'locate', arguments: {} },
  );
  const socket = await TestSocket.open(app.wsUrl(id));
  await socket.request('subscribe');
  const { run_id } = (await prompt(app, id)).body;
  await socket.findEvent('tool_result');
  await expect.poll(() => socket.events.filter((e) => e.event_type === 'input_requested')).toHaveLength(2);
  const [approval, located] = socket.events.filter((e) => e.event_type === 'input_requested');
  expect([approval.payload.kind, located.payload.kind]).toEqual(['approval', 'client_tool']);
  expect(paid).toEqual([{ to: 'Bob', amount: 1 }]);

  await answer(app, id, located.payload.request_id, { outcome: 'submitted', value: { city: 'Paris' } });
  await answer(app, id, approval.payload.request_id, { outcome: 'approved' });

  await socket.findEvent('run_finished', run_id);
  expect(paid).toEqual([{ to: 'Bob', amount: 1 }, PAY]);
  expect(told()).toEqual(['{"paid":1}', '{"paid":3}', '{"city":"Paris"}']);
  const calls = socket.events.filter(({ event_type }) => event_type === 'tool_call');
  expect(calls.map(({ payload }) => payload.tool_call_id).sort()).toEqual(['call_1', 'call_2', 'call_3']);
});

test('a client tool is claimed by one client, and its result has to fit', async () => {
  const { start, asks, told } = await bank();
  const app = await start();
  const id = await chat(app);
  asks({ name: 'locate', arguments: {} });
  const [phone, tablet] = [await TestSocket.open(app.wsUrl(id)), await TestSocket.open(app.wsUrl(id))];
  const { request_id, run_id } = (await prompt(app, id)).body;

  const claimed = await phone.request('claim_request', { request_id });
  const refused = await tablet.request('claim_request', { request_id });
  const renewed = await phone.request('claim_request', { request_id });

  expect(claimed).toMatchObject({ type: 'request_claimed', data: { request_id } });
  const seconds = (Date.parse(claimed.data.expires_at) - Date.now()) / 1000;
  expect(seconds).toBeGreaterThan(20);
  expect(seconds).toBeLessThanOrEqual(30);
  expect(renewed.type).toBe('request_claimed');
  expect(refused).toMatchObject({ type: 'error', data: { code: 'REQUEST_ALREADY_ANSWERED' } });
  const wrong = await phone.request('server_response', {
    request_id,
    outcome: 'submitted',
    value: { city: 7 },
  });
  expect(wrong.data).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'value.city' }] });
  expect((await phone.request('server_response', { request_id, outcome: 'approved' })).data.code).toBe(
    'VALIDATION_ERROR',
  );
  await phone.request('server_response', { request_id, outcome: 'submitted', value: { city: 'Rome' } });
  await prompt(app, id, { run_id });
  expect(told()).toEqual(['{"city":"Rome"}']);
  expect((await phone.request('claim_request', { request_id })).data.code).toBe('REQUEST_ALREADY_ANSWERED');
});

test('cancelling a parked run resolves what it asked, and nothing follows its end (P6)', async () => {
  const { start, asks, paid } = await bank();
  const app = await start();
  const id = await chat(app);
  asks({ name: 'pay', arguments: PAY });
  const socket = await TestSocket.open(app.wsUrl(id));
  await socket.request('subscribe');
  const { request_id, run_id } = (await prompt(app, id)).body;

  expect((await socket.request('cancel')).data).toEqual({ run_id });

  await socket.findEvent('run_finished', run_id);
  expect(socket.events.slice(-2)).toMatchObject([
    { event_type: 'input_resolved', payload: { request_id, by: 'system', outcome: 'cancelled' } },
    { event_type: 'run_finished', payload: { status: 'cancelled' } },
  ]);
  expect(await answer(app, id, request_id, { outcome: 'approved' })).toMatchObject({
    status: 410,
    body: { code: 'REQUEST_EXPIRED' },
  });
  expect((await socket.request('history')).data).toMatchObject({ runs: [], pending_requests: [] });
  expect(paid).toEqual([]);
});

test('a parked run keeps its place in its session and takes none of the others', async () => {
  const { start, asks, models } = await bank();
  const app = await start({ maxConcurrentRuns: 1 });
  const [id, other] = [await chat(app), await chat(app)];
  asks({ name: 'pay', arguments: PAY });
  const { request_id } = (await prompt(app, id)).body;

  models.script({ steps: [{ text: 'Elsewhere.' }] });
  expect((await prompt(app, other)).body).toMatchObject({ status: 'completed' });
  expect(await prompt(app, id, { on_conflict: 'reject' })).toMatchObject({
    status: 409,
    body: { code: 'RUN_IN_PROGRESS' },
  });
  const [next] = [randomUUID()];
  const queued = prompt(app, id, { run_id: next });
  await expect
    .poll(async () => (await call('GET', `${app.url}/api/sessions/${id}/runs/${next}`)).body.status)
    .toBe('queued');
  // What is scripted: the end of the first one, then the answer of the second one.
  models.script({ steps: [{ text: 'Second.' }] });
  const pending = models.requests.length;
  await answer(app, id, request_id, { outcome: 'approved' });
  expect((await queued).body).toMatchObject({ status: 'completed' });
  expect(models.requests.length).toBe(pending + 2);
});

test.each(STORAGES)(
  'a form of an engine is answered once, checked against its schema, and found again after a restart: %s',
  async (_, data) => {
    const config = await data();
    const runs: number[] = [];
    const engine = async (context: EngineContext) => {
      runs.push(context.attempt);
      const { outcome, value } = await context.ask({
        key: 'name',
        kind: 'form',
        prompt: 'Who are you?',
        schema: {
          type: 'object',
          required: ['email'],
          properties: { email: { type: 'string', format: 'email' } },
        },
      });
      const twice = await context.ask({
        key: 'sure',
        kind: 'approval',
        prompt: 'Are you sure?',
        arguments: value ?? null,
      });
      return { outcome, value: value ?? null, sure: twice.outcome, by: twice.by };
    };
    const start = async () => {
      const apiFactory = new ExtensibleAPIFactory().registerEngine({
        type: 'FormEngine',
        description: 'Asks',
        config: z.object({}),
        resumable: true,
        create: () => ({ run: (context) => engine(context) as never }),
      });
      return startApp({ apiFactory, config });
    };
    const first = await start();
    const id = await first.createSession({ engine_type: 'FormEngine' });
    const form = (await prompt(first, id)).body;
    const wrong = await answer(first, id, form.request_id, {
      outcome: 'submitted',
      value: { email: 'nobody' },
    });
    expect(wrong).toMatchObject({ status: 422, body: { errors: [{ path: 'value.email' }] } });
    const missing = await answer(first, id, form.request_id, { outcome: 'submitted', value: {} });
    expect(missing).toMatchObject({ status: 422, body: { errors: [{ path: 'value.email' }] } });
    await answer(first, id, form.request_id, { outcome: 'submitted', value: { email: 'ada@example.com' } });
    const sure = await prompt(first, id, { run_id: form.run_id });
    expect(sure).toMatchObject({ status: 202, body: { status: 'awaiting_input' } });
    expect(sure.body.request_id).not.toBe(form.request_id);
    await first.app.close();

    const second = await start();
    await answer(second, id, sure.body.request_id, { outcome: 'approved' });

    expect((await prompt(second, id, { run_id: form.run_id })).body).toMatchObject({
      status: 'completed',
      result: { outcome: 'submitted', value: { email: 'ada@example.com' }, sure: 'approved', by: 'operator' },
    });
    expect(runs).toEqual([1, 2, 3]);
  },
);

test('an engine that cannot continue cannot ask, and says why', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerEngine({
    type: 'Forgetful',
    description: 'Asks',
    config: z.object({}),
    create: () => ({
      run: async (context) => (await context.ask({ key: 'x', kind: 'approval', prompt: 'May I?' })).outcome,
    }),
  });
  const app = await startApp({ apiFactory, config: { debug: true } });
  const id = await app.createSession({ engine_type: 'Forgetful' });
  expect((await prompt(app, id)).body).toMatchObject({
    status: 'failed',
    error: { code: 'INTERNAL_ERROR', message: expect.stringContaining('has to be resumable') },
  });
});

test('check 32: what belongs to another session or does not exist is not found', async () => {
  const { start, asks } = await bank();
  const app = await start();
  const [id, other] = [await chat(app), await chat(app)];
  asks({ name: 'pay', arguments: PAY });
  const { request_id } = (await prompt(app, id)).body;
  for (const [session, request] of [
    [other, request_id],
    [id, 'req_none'],
  ] as const) {
    expect(await answer(app, session, request, { outcome: 'approved' })).toMatchObject({
      status: 404,
      body: { code: 'REQUEST_NOT_FOUND' },
    });
    const socket = await TestSocket.open(app.wsUrl(session));
    expect(
      (await socket.request('server_response', { request_id: request, outcome: 'approved' })).data.code,
    ).toBe('REQUEST_NOT_FOUND');
    expect((await socket.request('claim_request', { request_id: request })).data.code).toBe(
      'REQUEST_NOT_FOUND',
    );
  }
  onTestFinished(() => app.app.close());
});
