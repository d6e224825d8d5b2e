/** SinglePassEngine, end to end: one call for each prompt, and answers that fit a schema. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import type { ModelScript } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
};
const ADA = { name: 'Ada', age: 36 };

async function start(engine_config: object = {}) {
  const app = await startModelApp();
  const id = await app.createSession({ engine_type: 'SinglePassEngine', engine_config });
  const socket = await TestSocket.open(app.wsUrl(id));
  const prompt = (parameters: object = {}) => socket.run('prompt', { prompt: 'Who is it?', ...parameters });
  const says = (...texts: string[]) => app.models.script(...texts.map((text) => ({ steps: [{ text }] })));
  return { ...app, id, socket, prompt, says };
}

test('each prompt is one call, without what was said before', async () => {
  const { models, prompt } = await start({
    system_prompt: 'Be short.',
    temperature: 0.2,
    max_output_tokens: 50,
  });
  await prompt();
  const second = await prompt({ prompt: 'And now?' });
  expect(second).toMatchObject({ status: 'completed', result: { finish_reason: 'stop' } });
  expect(second.result).not.toHaveProperty('value');
  expect(models.requests.map(({ body }) => body.messages)).toEqual([
    [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Who is it?' },
    ],
    [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'And now?' },
    ],
  ]);
  expect(models.requests[1]?.body).toMatchObject({ temperature: 0.2, max_tokens: 50 });
  expect(models.refusals).toEqual([]);
});

test('an image goes to the model, in the message or as an address', async () => {
  const { models, prompt } = await start();
  const data = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').toString('base64');
  const url = 'https://example.com/a.png';
  const attachments = [
    { mime_type: 'image/png', data },
    { mime_type: 'image/png', url },
  ];
  expect(await prompt({ attachments })).toMatchObject({ status: 'completed' });
  expect(models.requests[0]?.body.messages[0]?.content).toEqual([
    { type: 'text', text: 'Who is it?' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } },
    { type: 'image_url', image_url: { url } },
  ]);
});

test('an attachment that providers would refuse is refused before there is a run', async () => {
  const { url, id, models } = await start();
  const attachments = [{ mime_type: 'image/png', data: 'SGVsbG8=' }];
  const command = { command: 'prompt', parameters: { prompt: 'What is it?', attachments } };
  expect(await call('POST', `${url}/api/sessions/${id}/commands`, command)).toMatchObject({
    status: 422,
    body: {
      code: 'VALIDATION_ERROR',
      errors: [{ path: 'parameters.attachments.0.data', message: 'is no image/png' }],
    },
  });
  expect(models.requests).toHaveLength(0);
  expect((await call('GET', `${url}/api/sessions/${id}/messages`)).body.messages).toEqual([]);
});

describe('an answer that has to fit a schema', () => {
  test('is the value of the result; the model is told as a format and in words', async () => {
    const { models, prompt, says } = await start({ response_schema: PERSON, system_prompt: 'Be short.' });
    says(JSON.stringify(ADA));
    expect(await prompt()).toMatchObject({
      status: 'completed',
      result: {
        text: JSON.stringify(ADA),
        value: ADA,
        message_id: expect.any(String),
        finish_reason: 'stop',
      },
    });
    const [asked] = models.requests;
    expect(asked?.body).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { schema: PERSON } },
    });
    const messages = asked?.body.messages ?? [];
    expect(messages[0]?.content).toMatch(/^Be short\.\n\n.*JSON/);
    expect(messages[0]?.content).toContain(JSON.stringify(PERSON));
    expect(models.refusals).toEqual([]);
  });

  test.each(['```json\n{"name": "Ada", "age": 36}\n```', 'It is {"name": "Ada", "age": 36}, I think.'])(
    'may have prose around it: %j',
    async (text) => {
      const { prompt, says, models } = await start({ response_schema: PERSON });
      says(text);
      expect((await prompt()).result).toMatchObject({ text, value: ADA });
      expect(models.requests).toHaveLength(1);
    },
  );

  test('is repaired once: the model hears what is wrong', async () => {
    const { models, prompt, says, socket } = await start({ response_schema: PERSON });
    says('{"name": "Ada", "age": "many"}', JSON.stringify(ADA));
    const done = await prompt();
    expect(done).toMatchObject({ status: 'completed', result: { value: ADA } });
    const told = models.requests[1]?.body.messages ?? [];
    expect(told.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(told[2]?.content).toBe('{"name": "Ada", "age": "many"}');
    expect(told[3]?.content).toMatch(/age: must be integer/);
    const steps = socket.events.filter(({ event_type }) => event_type === 'step_finished');
    expect(steps.map(({ payload }) => payload.step)).toEqual([1, 2]);
    expect(done.usage.total_tokens).toBe(
      steps.reduce((sum, { payload }) => sum + payload.usage.total_tokens, 0),
    );
    expect(models.refusals).toEqual([]);
  });

  test.each([
    [['No idea.', 'I said: no idea.'], /response_schema: it is not JSON/],
    [['', '{"name": "Ada"}'], /response_schema: age: must have required property 'age'/],
    [['{"name": 1}', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`], /nested too deeply/],
  ])('that is wrong twice fails the run, with what is wrong: %j', async (texts, message) => {
    const { models, prompt, says } = await start({ response_schema: PERSON });
    says(...texts);
    expect(await prompt()).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_ERROR', message: expect.stringMatching(message) },
    });
    expect(models.requests).toHaveLength(2);
    expect(models.refusals).toEqual([]);
  });

  test.each<[string, ModelScript, RegExp]>([
    ['a refusal', { steps: [{ refusal: 'I must not.' }] }, /refused to answer/],
    ['an answer that was cut', { steps: [{ text: '{"name": "A' }], finish: 'length' }, /was cut/],
  ])('is not asked for again after %s, which is what the run fails with', async (_, script, message) => {
    const { models, prompt } = await start({ response_schema: PERSON });
    models.script(script);
    expect(await prompt()).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_ERROR', message: expect.stringMatching(message) },
    });
    expect(models.requests).toHaveLength(1);
  });

  test('the schema of a prompt wins, and its root may be anything', async () => {
    const { models, prompt, says } = await start({ response_schema: PERSON });
    says('[1, 2, 3]');
    const response_schema = { type: 'array', items: { type: 'integer' } };
    expect((await prompt({ response_schema })).result).toMatchObject({ value: [1, 2, 3] });
    // Providers refuse a format whose root is no object.
    expect(models.requests[0]?.body).not.toHaveProperty('response_format');
    expect(models.requests[0]?.body.messages[0]?.content).toContain(JSON.stringify(response_schema));
    expect(models.refusals).toEqual([]);
  });

  test.each([{ type: 'nonsense' }, { properties: 7 }, { type: 'string', pattern: '(' }, 'object'])(
    'the schema %j is refused before anything is asked',
    async (response_schema) => {
      const { url, id, models } = await start();
      const refused = (path: string) => ({
        status: 422,
        body: { code: 'VALIDATION_ERROR', errors: [{ path: expect.stringMatching(path) }] },
      });
      expect(
        await call('POST', `${url}/api/sessions/${id}/commands`, {
          command: 'prompt',
          parameters: { prompt: 'Hi', response_schema },
        }),
      ).toMatchObject(refused('parameters.response_schema'));
      expect(
        await call('PUT', `${url}/api/sessions/${id}/engine`, {
          engine_type: 'SinglePassEngine',
          engine_config: { response_schema },
        }),
      ).toMatchObject(refused('response_schema'));
      expect(models.requests).toHaveLength(0);
    },
  );
});

test('a server that stops between an answer and its repair goes on with the repair', async () => {
  const models = await startTestModels();
  const config = { databaseUrl: undefined, dataDir: await tempDir(), model: 'openai-compatible:x' };
  const launch = () => startApp({ config, env: { OPENAI_BASE_URL: models.baseUrl } });
  const gate = models.gate();
  models.script({ steps: [{ text: '{"name": "Ada"}' }] }, { headersGate: gate, steps: [{ text: 'never' }] });
  const before = await launch();
  const id = await before.createSession({
    engine_type: 'SinglePassEngine',
    engine_config: { response_schema: PERSON },
  });
  const command = { command: 'prompt', parameters: { prompt: 'Who?' }, run_id: randomUUID() };
  const commands = `/api/sessions/${id}/commands`;
  await call('POST', before.url + commands, command, { prefer: 'respond-async' });
  await models.received(2);
  await before.app.close({ graceMs: 0 });

  models.script({ steps: [{ text: JSON.stringify(ADA) }] });
  const after = await launch();
  const { body } = await call('POST', after.url + commands, command);

  expect(body).toMatchObject({ status: 'completed', result: { value: ADA } });
  expect(models.requests).toHaveLength(3);
  expect(models.requests[2]?.body).toEqual(models.requests[1]?.body);
  const { messages } = (await call('GET', `${after.url}/api/sessions/${id}/messages`)).body;
  expect(messages).toHaveLength(3);
});
