/** Models that stand in for others, before real servers of two providers. */
import { expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../helpers/anthropic-server.ts';
import { startApp } from '../helpers/app.ts';
import { startModelServer } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const [FIRST, SECOND] = ['openai:gpt-5.4-mini', 'anthropic:claude-sonnet-5'];
const BUSY = { status: 429, error: { message: 'Too many requests' } };

async function start(config: object = {}) {
  const [first, second] = [await startModelServer(), await startAnthropicServer()];
  onTestFinished(async () => void (await Promise.all([first.close(), second.close()])));
  const { url, wsUrl, createSession } = await startApp({
    config: { model: `${FIRST}, ${SECOND}`, modelRetries: 0, ...config },
    env: {
      OPENAI_API_KEY: 'sk-first-key',
      OPENAI_BASE_URL: first.baseUrl,
      ANTHROPIC_API_KEY: 'sk-ant-second-key',
      ANTHROPIC_BASE_URL: second.origin,
    },
  });
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const texts = (type: string) =>
    socket.events.filter(({ event_type }) => event_type === type).map(({ payload }) => payload.text);
  const messages = async () => (await call('GET', `${url}/api/sessions/${id}/messages`)).body.messages;
  return { first, second, url, id, socket, texts, messages };
}

test('the next model answers when the one before does not, people hear of it, and the message says who it was', async () => {
  const { first, second, socket, texts, messages } = await start();
  first.script(BUSY);
  second.script({ steps: [{ text: 'Here I am.' }] });

  const result = await socket.run('prompt', { prompt: 'Is anybody there?' });

  expect(result).toMatchObject({ status: 'completed', result: { text: 'Here I am.' } });
  expect(texts('status')).toContain(`${FIRST} does not answer; asking ${SECOND} instead`);
  expect((await messages()).at(-1).metadata).toMatchObject({ model: SECOND });
});

test('the first one is asked first in the next step, and takes what the other one has begun', async () => {
  const { first, second, socket, messages } = await start();
  first.script(BUSY, { steps: [{ text: '42.' }] }, { steps: [{ text: 'I am sure.' }] });
  second.script({
    steps: [{ reasoning: 'Hm.' }, { toolCalls: [{ name: 'calculate', arguments: { expression: '6 * 7' } }] }],
  });

  const run = await socket.run('prompt', { prompt: 'What is 6 * 7?' });
  const next = await socket.run('prompt', { prompt: 'Are you sure?' });

  expect(run).toMatchObject({ status: 'completed', result: { text: '42.' } });
  expect(next).toMatchObject({ status: 'completed', result: { text: 'I am sure.' } });
  expect(first.refusals).toEqual([]);
  expect(second.refusals).toEqual([]);
  expect((await messages()).map(({ metadata }: { metadata: { model?: string } }) => metadata.model)).toEqual([
    undefined,
    SECOND,
    undefined,
    FIRST,
    undefined,
    FIRST,
  ]);
});

test('a failure after the first token is final: nobody else goes on with half an answer', async () => {
  const { first, second, socket, messages } = await start();
  first.script({ steps: [{ text: 'Hel' }, { drop: true }] });

  const { status, error } = await socket.run('prompt', { prompt: 'Hi' });

  expect({ status, code: error.code }).toEqual({ status: 'failed', code: 'MODEL_ERROR' });
  expect(second.requests).toEqual([]);
  expect((await messages()).map(({ role }: { role: string }) => role)).toEqual(['user']);
});

test('a provider that asks for a short rest is asked again, one that asks for a long one is left', async () => {
  const { first, second, socket, texts } = await start({ modelRetries: 2 });
  first.script({ ...BUSY, headers: { 'retry-after': '0' } }, { steps: [{ text: 'Now.' }] });

  expect(await socket.run('prompt', { prompt: 'One' })).toMatchObject({ result: { text: 'Now.' } });
  expect(texts('status')).toEqual([`${FIRST} failed; trying again in 1 s`]);
  expect(second.requests).toEqual([]);

  first.script({ ...BUSY, headers: { 'retry-after': '3600' } });
  second.script({ steps: [{ text: 'Me.' }] });
  expect(await socket.run('prompt', { prompt: 'Two' })).toMatchObject({ result: { text: 'Me.' } });
  expect(first.requests).toHaveLength(3);
});

test('when none answers, the run fails with what the last one said', async () => {
  const { first, second, socket } = await start();
  first.script(BUSY);
  second.script({ status: 401, error: { message: 'No such key sk-ant-second-key' } });

  const { error } = await socket.run('prompt', { prompt: 'Hi' });

  expect(error).toMatchObject({ code: 'MODEL_ERROR' });
  expect(error.message).toMatch(/401/);
  expect(error.message).not.toContain('sk-ant');
});

test('a list is refused when one of its models cannot be', async () => {
  const { url, id } = await start();

  const { status, body } = await call('PUT', `${url}/api/sessions/${id}/engine`, {
    engine_type: 'ToolChatEngine',
    engine_config: { model: `${FIRST}, mistral:large` },
  });

  expect({ status, code: body.code }).toEqual({ status: 422, code: 'VALIDATION_ERROR' });
  expect(body.detail).toContain('npm install @ai-sdk/mistral');
});
