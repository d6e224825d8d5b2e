/** What a newcomer sees without a key: several steps, an approval and a form, on every transport, from the demo model. */
import { expect, test } from 'vitest';
import { startApp, type TestApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const PROMPT =
  'What is 2 * (3 + 4), then ask me for my name and my age, then what time is it in Europe/Berlin?';
const NOTICE = /I am the demo model of LLMgine API/;
const BERLIN = /It is \w+,? \d+ \w+ \d{4}/;

const chat = (app: TestApp, config: object = {}) =>
  app.createSession({ engine_type: 'ToolChatEngine', engine_config: config });
const commands = (app: TestApp, id: string) => `${app.url}/api/sessions/${id}/commands`;
const prompt = (text: string) => ({ command: 'prompt', parameters: { prompt: text } });

test('over WebSocket: step after step, with an approval and a form in between', async () => {
  const app = await startApp();
  const id = await chat(app, { approval: ['calculate'] });
  const socket = await TestSocket.open(app.wsUrl(id));

  const finished = socket.run('prompt', { prompt: PROMPT });
  const approval = (await socket.findEvent('input_requested')).data.payload;
  await socket.request('server_response', { request_id: approval.request_id, outcome: 'approved' });
  const form = (
    await socket.find(({ data }) => data.event_type === 'input_requested' && data.payload.kind === 'form')
  ).data.payload;
  const wrong = await socket.request('server_response', {
    request_id: form.request_id,
    outcome: 'submitted',
    value: { name: 'Ada', age: 'old' },
  });
  await socket.request('server_response', {
    request_id: form.request_id,
    outcome: 'submitted',
    value: { name: 'Ada', age: 36 },
  });
  const { status, result, usage } = await finished;

  expect(approval).toMatchObject({ kind: 'approval', tool_name: 'calculate', schema: null });
  expect(form.prompt).toBe('Please tell me your name and your age.');
  expect(form.schema.properties).toMatchObject({
    name: { title: 'name', type: 'string' },
    age: { title: 'age', type: 'number' },
  });
  expect(wrong.data.code).toBe('VALIDATION_ERROR');
  expect(status).toBe('completed');
  expect(result.text).toMatch(/^2 \* \(3 \+ 4\) is 14\. You told me: name Ada, age 36\. /);
  expect(result.text).toMatch(BERLIN);
  expect(result.text).toMatch(NOTICE);
  expect(usage.reasoning_tokens).toBeGreaterThan(0);
  const count = (type: string) => socket.events.filter(({ event_type }) => event_type === type).length;
  expect([count('step_finished'), count('tool_call'), count('tool_result')]).toEqual([4, 3, 3]);
  expect(count('reasoning_delta')).toBeGreaterThan(0);
});

test.each(STORAGES)('over REST, with a restart while it waits: %s', async (_, data) => {
  const config = await data();
  const before = await startApp({ config });
  const id = await chat(before);
  const parked = await call('POST', commands(before, id), prompt('2 + 3, then ask my name, then 4 + 5'));
  await before.app.close();

  const after = await startApp({ config });
  const { run_id, request_id } = parked.body;
  const answered = await call('POST', `${after.url}/api/sessions/${id}/requests/${request_id}`, {
    outcome: 'submitted',
    value: { name: 'Ada' },
  });
  const { body } = await call('POST', commands(after, id), {
    ...prompt('2 + 3, then ask my name, then 4 + 5'),
    run_id,
  });

  expect(parked.status).toBe(202);
  expect(answered.status).toBe(200);
  expect(body).toMatchObject({ status: 'completed' });
  expect(body.result.text).toMatch(/^2 \+ 3 is 5\. You told me: Ada\. 4 \+ 5 is 9\./);
});

test('what was denied is told as such', async () => {
  const app = await startApp();
  const id = await chat(app, { approval: ['*'] });
  const asked = await call('POST', commands(app, id), prompt('What is 6 * 7?'));
  const { run_id, request_id } = asked.body;
  await call('POST', `${app.url}/api/sessions/${id}/requests/${request_id}`, {
    outcome: 'denied',
    reason: 'do it in your head',
  });

  const { body } = await call('POST', commands(app, id), { ...prompt('What is 6 * 7?'), run_id });

  expect(body.result.text).toMatch(/^I was not allowed to call calculate: .*do it in your head/);
});

test('what nobody answered is told as such, and the rest is done', async () => {
  const app = await startApp({ config: { requestTimeout: 0.2 } });
  const socket = await TestSocket.open(app.wsUrl(await chat(app)));

  const { result } = await socket.run('prompt', { prompt: 'ask me for my name, then what is 6 * 7?' });

  expect(result.text).toMatch(/^I got no answer: .* 6 \* 7 is 42\./);
});

test('structured answers are valid JSON, without a word around it', async () => {
  const app = await startApp();
  const schema = {
    type: 'object',
    properties: {
      title: { type: 'string' },
      stars: { type: 'integer', minimum: 1 },
      kind: { enum: ['book', 'film'] },
      tags: { type: 'array', items: { type: 'string' } },
      seen: { type: 'boolean' },
    },
    required: ['title', 'stars', 'kind', 'tags', 'seen'],
  };
  const id = await app.createSession({
    engine_type: 'SinglePassEngine',
    engine_config: { response_schema: schema },
  });

  const { body } = await call('POST', commands(app, id), prompt('Review something'));

  expect(body).toMatchObject({ status: 'completed' });
  expect(body.result.value).toEqual({ title: 'demo', stars: 1, kind: 'book', tags: [], seen: false });
});

test('a structured answer may be a list, whose schema the model has only in words', async () => {
  const app = await startApp();
  const schema = { type: 'array', items: { type: 'number' }, minItems: 2 };
  const id = await app.createSession({
    engine_type: 'SinglePassEngine',
    engine_config: { response_schema: schema },
  });
  const { body } = await call('POST', commands(app, id), prompt('Two numbers'));
  expect(body).toMatchObject({ status: 'completed', result: { value: [0, 0] } });
});
