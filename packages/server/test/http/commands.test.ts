import { randomUUID } from 'node:crypto';
import { commandPendingSchema, commandResultSchema } from '@llmgine/protocol';
import { expect, it, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { TestStream } from '../../../../tests/helpers/sse-client.ts';
import { promptOf, say, type TestRun, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { expectProblem } from './expect-problem.ts';

/** A session with an engine whose runs do what the test says. */
async function start(run: TestRun) {
  const { app, url, createSession } = await startApp({ apiFactory: testEngine(run) });
  const newSession = async () => `${url}/api/sessions/${await createSession({ engine_type: 'TestEngine' })}`;
  return { app, url, newSession, session: await newSession() };
}

function prompt(text: string): object {
  return { command: 'prompt', parameters: { prompt: text } };
}

const echo: TestRun = (context) => {
  say(context, 'm1', 'one ', 'two');
  return { text: promptOf(context) };
};

it('waits for the end of the run and answers with its result', async () => {
  const { session } = await start(echo);

  const answer = await call('POST', `${session}/commands`, prompt('Hello'));

  expect(answer.status).toBe(200);
  expect(commandResultSchema.parse(answer.body)).toMatchObject({
    status: 'completed',
    result: { text: 'Hello' },
  });
});

it('answers a run that failed with 200: the request succeeded', async () => {
  const { session } = await start(() => {
    throw new Error('the engine broke');
  });

  const answer = await call('POST', `${session}/commands`, prompt('Hello'));

  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
});

it('answers at once when asked to, and tells where the run is', async () => {
  const gate = testGate();
  const { url, session } = await start(() => gate.pass());

  const answer = await call('POST', `${session}/commands`, prompt('Hello'), {
    prefer: 'wait=1, respond-async',
  });
  const run = await call('GET', url + answer.headers.get('location'));
  gate.open();

  expect(answer.status).toBe(202);
  expect(answer.headers.get('preference-applied')).toBe('respond-async');
  expect(commandPendingSchema.parse(answer.body).run_id).toBe(run.body.run_id);
  expect(['queued', 'running']).toContain(run.body.status);
});

it('streams the events of the run and ends with its result', async () => {
  const { session } = await start(echo);

  const stream = await TestStream.open(`${session}/commands`, { method: 'POST', body: prompt('Hello') });
  await stream.ended;

  const last = stream.events.at(-1);
  expect(stream.events.map(({ event }) => event)).toEqual([
    'run_queued',
    'message_completed',
    'run_started',
    'message_started',
    // Two deltas of one moment are one event; and the engine never completed its message.
    'text_delta',
    'message_discarded',
    'run_finished',
    'command_result',
  ]);
  expect(commandResultSchema.parse(last?.data)).toMatchObject({
    status: 'completed',
    result: { text: 'Hello' },
  });
  for (const { id, event, data } of stream.events.slice(0, -1)) {
    expect(data).toMatchObject({ cursor: id, event_type: event, run_id: last?.data.run_id });
  }
});

it('shows only the run that was asked for', async () => {
  const gate = testGate();
  const { session } = await start(async (context) => {
    if (promptOf(context) === 'first') await gate.pass();
    return promptOf(context);
  });
  const first = await TestStream.open(`${session}/commands`, { method: 'POST', body: prompt('first') });
  await gate.reached;

  const second = await TestStream.open(`${session}/commands`, { method: 'POST', body: prompt('second') });
  gate.open();
  await Promise.all([first.ended, second.ended]);

  for (const stream of [first, second]) {
    expect(new Set(stream.events.map(({ data }) => data.run_id)).size).toBe(1);
  }
  expect(second.events.at(-1)?.data).toMatchObject({ status: 'completed', result: 'second' });
});

it('goes on where a stream was cut, also when only the result is left', async () => {
  const { session } = await start(echo);
  const headers = { 'idempotency-key': 'once' };
  const options = { method: 'POST', body: prompt('Hello') } as const;
  const whole = await TestStream.open(`${session}/commands`, { ...options, headers });
  await whole.ended;

  for (const [i, event] of whole.events.slice(0, -1).entries()) {
    const rest = await TestStream.open(`${session}/commands`, {
      ...options,
      headers: { ...headers, 'last-event-id': event.id ?? '' },
    });
    await rest.ended;
    expect(rest.events).toEqual(whole.events.slice(i + 1));
  }
});

it('runs a command once for each Idempotency-Key, whatever comes at the same time', async () => {
  let runs = 0;
  const { session, newSession } = await start(() => ++runs);
  const other = await newSession();
  const headers = { 'idempotency-key': 'order 66' };

  const answers = await Promise.all(
    Array.from({ length: 20 }, () => call('POST', `${session}/commands`, prompt('Hello'), headers)),
  );
  const elsewhere = await call('POST', `${other}/commands`, prompt('Hello'), headers);

  expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
  expect(answers[0]?.body).toMatchObject({ status: 'completed', result: 1 });
  expect(elsewhere.body.run_id).not.toBe(answers[0]?.body.run_id);
  expect(runs).toBe(2);
});

it('takes a key that is a UUID as the id of the run, quoted or not', async () => {
  const { session } = await start(echo);
  const key = randomUUID();

  const plain = await call('POST', `${session}/commands`, prompt('Hello'), { 'idempotency-key': key });
  const quoted = await call('POST', `${session}/commands`, prompt('Hello'), {
    'idempotency-key': `"${key}"`,
  });

  expect([plain.body.run_id, quoted.body.run_id]).toEqual([key, key]);
});

it('refuses a key that was used with another body, that is too long, or that names another run', async () => {
  const { session } = await start(echo);
  const post = (body: object, key: string) =>
    call('POST', `${session}/commands`, body, { 'idempotency-key': key });
  await post(prompt('Hello'), 'k');

  expectProblem(await post(prompt('Bye'), 'k'), 'IDEMPOTENCY_MISMATCH');
  expectProblem(await post(prompt('Hello'), 'x'.repeat(256)), 'VALIDATION_ERROR');
  expectProblem(await post({ ...prompt('Hello'), run_id: randomUUID() }, 'k'), 'VALIDATION_ERROR');
  expect((await post(prompt('Hello'), 'x'.repeat(255))).status).toBe(200);
});

it.each(['text/event-stream', 'application/json'])(
  'never ends a run when a client that waits for %s hangs up',
  async (accept) => {
    const gate = testGate();
    const { session } = await start(async () => {
      await gate.pass();
      return 'done';
    });
    const run_id = randomUUID();
    const client = new AbortController();
    const asked = fetch(`${session}/commands`, {
      method: 'POST',
      signal: client.signal,
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify({ ...prompt('Hello'), run_id }),
    }).then((response) => response.text());
    await gate.reached;

    client.abort();
    await expect(asked).rejects.toThrow();
    gate.open();

    expect((await call('POST', `${session}/commands`, { ...prompt('Hello'), run_id })).body).toMatchObject({
      run_id,
      status: 'completed',
      result: 'done',
    });
  },
);

it('refuses what cannot run', async () => {
  const gate = testGate();
  const { url, session } = await start(() => gate.pass());
  const bare = await call('POST', `${url}/api/sessions`);
  await call('POST', `${session}/commands`, prompt('Hello'), { prefer: 'respond-async' });

  const noEngine = await call(
    'POST',
    `${url}/api/sessions/${bare.body.session_id}/commands`,
    prompt('Hello'),
  );
  const unknown = await call('POST', `${session}/commands`, { command: 'dance' });
  const invalid = await call('POST', `${session}/commands`, { command: 'prompt' });
  const busy = await call('POST', `${session}/commands`, { ...prompt('Hello'), on_conflict: 'reject' });
  gate.open();

  expectProblem(noEngine, 'ENGINE_NOT_LINKED');
  expectProblem(unknown, 'UNKNOWN_COMMAND');
  expectProblem(invalid, 'VALIDATION_ERROR');
  expectProblem(busy, 'RUN_IN_PROGRESS');
});

it('does nothing when it cannot stream from where the client wants', async () => {
  const { session } = await start(echo);

  const answer = await call('POST', `${session}/commands`, prompt('Hello'), {
    accept: 'text/event-stream',
    'last-event-id': '?',
  });

  expectProblem(answer, 'INVALID_CURSOR');
  expect((await call('GET', `${session}/runs`)).body.runs).toEqual([]);
});

it('does not go on waiting for a client that has hung up', async () => {
  const gate = testGate();
  const { app, session } = await start(() => gate.pass());
  const { runs } = app.services;
  const result = runs.resultOrAsked.bind(runs);
  let waiting: AbortSignal | undefined;
  runs.resultOrAsked = (key, runId, signal) => {
    waiting = signal;
    return result(key, runId, signal);
  };
  const client = new AbortController();
  const asked = fetch(`${session}/commands`, {
    method: 'POST',
    signal: client.signal,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(prompt('Hello')),
  });
  await vi.waitUntil(() => waiting !== undefined);

  client.abort();
  await expect(asked).rejects.toThrow();
  await vi.waitUntil(() => waiting?.aborted);
  gate.open();
});

it('lists, shows and cancels runs', async () => {
  const gate = testGate();
  const { session } = await start(async ({ signal }) => {
    const aborted = new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason)),
    );
    await Promise.race([gate.pass(), aborted]);
  });
  const { body } = await call('POST', `${session}/commands`, prompt('Hello'), { prefer: 'respond-async' });
  await gate.reached;

  const cancelled = await call('POST', `${session}/runs/${body.run_id}/cancel`);
  const run = await call('GET', `${session}/runs/${body.run_id}`);
  const list = await call('GET', `${session}/runs?status=cancelled`);

  expect(cancelled).toMatchObject({ status: 200, body: { run_id: body.run_id } });
  expect(run.body).toMatchObject({ run_id: body.run_id, status: 'cancelled', command: 'prompt' });
  expect(list.body).toEqual({ runs: [run.body], next: null });
  expectProblem(await call('GET', `${session}/runs/${randomUUID()}`), 'RUN_NOT_FOUND');
  expectProblem(await call('POST', `${session}/runs/${randomUUID()}/cancel`), 'RUN_NOT_FOUND');
});

it('streams a result that is larger than what may be unsent, also to who attaches later', async () => {
  const size = 1_500_000;
  const { session } = await start(() => 'x'.repeat(size));
  const open = () =>
    TestStream.open(`${session}/commands`, {
      method: 'POST',
      body: prompt('large'),
      headers: { 'idempotency-key': 'large' },
    });
  const results = [];
  for (const stream of [await open(), await open()]) {
    results.push(await stream.find(({ event }) => event === 'command_result'));
  }
  for (const { data } of results) {
    expect(data.status).toBe('completed');
    expect(data.result).toHaveLength(size);
  }
});
