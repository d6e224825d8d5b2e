import { expect, test } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../../../../tests/helpers/model-app.ts';
import type { ScriptedCall } from '../../../../tests/helpers/model-server-wire.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../src/extensibility/factory.ts';
import type { ServerTool, ToolDefinition } from '../../src/tools/types.ts';

function tool(
  name: string,
  execute: ServerTool['execute'],
  extra: Partial<ToolDefinition> = {},
): ToolDefinition {
  return {
    name,
    description: name,
    parameters: z.object({ n: z.int().optional() }),
    execute,
    ...extra,
  };
}

async function start(tools: ToolDefinition[] = [], engineConfig: object = {}) {
  const apiFactory = new ExtensibleAPIFactory();
  for (const one of tools) apiFactory.registerTool(one);
  const app = await startModelApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'ToolChatEngine', engine_config: engineConfig });
  const socket = await TestSocket.open(app.wsUrl(id));
  const prompt = () => socket.run('prompt', { prompt: 'Hi' });
  const calls = (...toolCalls: ScriptedCall[]) => app.models.script({ steps: [{ toolCalls }] });
  const results = () =>
    socket.events
      .filter(({ event_type }) => event_type === 'tool_result')
      .map(({ payload }) => [payload.tool_call_id, payload.is_error, payload.result]);
  return { ...app, id, socket, prompt, calls, results };
}

test.each<[string, ScriptedCall, ToolDefinition[], RegExp]>([
  [
    'a tool that throws',
    { name: 'bad', arguments: {} },
    [
      tool('bad', () => {
        throw new Error('the oven is cold');
      }),
    ],
    /^the oven is cold$/,
  ],
  [
    'a tool that is not there',
    { name: 'ghost', arguments: {} },
    [],
    /There is no tool "ghost"; there are: calculate, current_time/,
  ],
  [
    'arguments that do not fit',
    { name: 'bad', arguments: { n: 'x' } },
    [tool('bad', () => 1)],
    /^The arguments are not valid: n: /,
  ],
  [
    'arguments that are no JSON',
    { name: 'bad', arguments: '{"n": ' },
    [tool('bad', () => 1)],
    /^The arguments are not valid/,
  ],
  [
    'a tool that takes too long',
    { name: 'bad', arguments: {} },
    [tool('bad', () => new Promise(() => {}), { timeoutMs: 20 })],
    /^timed out after 20 ms$/,
  ],
  [
    'a result that is too long, and no text',
    { name: 'bad', arguments: {} },
    [tool('bad', () => ['x'.repeat(100_000)])],
    /^The result has 100004 characters/,
  ],
  ['a result that is no JSON', { name: 'bad', arguments: {} }, [tool('bad', () => 1n as never)], /BigInt/],
])('%s is an error that the model hears of, and the run goes on', async (_what, scripted, tools, message) => {
  const { models, prompt, calls, results } = await start(tools);
  calls(scripted);
  models.script({ steps: [{ text: 'Sorry' }] });

  expect(await prompt()).toMatchObject({ status: 'completed', result: { text: 'Sorry' } });

  expect(results()).toEqual([['call_1', true, { error: expect.stringMatching(message) }]]);
  const heard = models.requests[1]?.body.messages.at(-1);
  expect(heard).toMatchObject({ role: 'tool', tool_call_id: 'call_1' });
  expect(heard?.content).toMatch(/^Error: /);
});

test('the calls of one step are executed side by side, and told in the order of the model', async () => {
  const [one, two] = [testGate(), testGate()];
  const { models, socket, prompt, calls, results } = await start([
    tool('slow', async () => {
      await two.reached;
      await one.pass();
      return 'slow';
    }),
    tool('fast', () => {
      void two.pass();
      return 'fast';
    }),
  ]);
  calls({ id: 'a', name: 'slow', arguments: {} }, { id: 'b', name: 'fast', arguments: {} });
  const result = prompt();
  await one.reached;
  await socket.findEvent('tool_result');
  expect(results()).toEqual([['b', false, 'fast']]);
  one.open();
  await result;
  const told = models.requests[1]?.body.messages.filter(({ role }) => role === 'tool');
  expect(told?.map(({ tool_call_id, content }) => [tool_call_id, content])).toEqual([
    ['a', 'slow'],
    ['b', 'fast'],
  ]);
});

test('after max_steps the model has to answer with what it knows', async () => {
  const { models, prompt } = await start([], { max_steps: 2, tools: ['current_time'] });
  models.respond = ({ body }) =>
    body.tools
      ? { steps: [{ toolCalls: [{ name: 'current_time', arguments: {} }] }] }
      : { steps: [{ text: 'Enough' }] };
  expect(await prompt()).toMatchObject({ status: 'completed', result: { text: 'Enough' } });
  expect(models.requests.map(({ body }) => body.tools?.map((one) => one.function.name))).toEqual([
    ['current_time'],
    undefined,
  ]);
});

test('a tool knows for whom it works, tells what it is doing, and hears that the run is over', async () => {
  const context = Promise.withResolvers<Parameters<ServerTool['execute']>[1]>();
  const { id, socket, prompt, calls } = await start([
    tool('watched', async (_args, given) => {
      given.progress('halfway');
      context.resolve(given);
      await new Promise(() => {});
      return null;
    }),
  ]);
  calls({ id: 'c', name: 'watched', arguments: {} });
  const result = prompt();
  const { sessionId, runId, toolCallId, principal, signal } = await context.promise;
  const progress = await socket.find(({ data }) => data.payload?.text === 'halfway');
  expect({ sessionId, runId, toolCallId, principal }).toEqual({
    sessionId: id,
    runId: progress.data.run_id,
    toolCallId: 'c',
    principal: { id: expect.any(String), tenantId: expect.any(String) },
  });
  expect(signal.aborted).toBe(false);
  await socket.request('cancel');
  expect(signal.aborted).toBe(true);
  expect((await result).status).toBe('cancelled');
});

test('its configuration sets no address, no credential and no command', async () => {
  const { url, id, models, prompt } = await start([], {
    temperature: 0.1,
    base_url: 'http://attacker.example',
    api_key: 'sk-stolen',
    command: 'rm',
    headers: { authorization: 'x' },
  });
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect((await call('GET', `${url}/api/sessions/${id}/engine`)).body.engine_config).toEqual({
    temperature: 0.1,
    max_steps: 8,
  });
  expect(models.requests[0]?.headers.authorization).toBeUndefined();
});

test.each([
  [{ model: 'nobody:x' }, 'VALIDATION_ERROR', 422],
  [{ model: 'http://attacker.example/v1' }, 'VALIDATION_ERROR', 422],
  [{ model: 'UPPER:x' }, 'VALIDATION_ERROR', 422],
  [{ tools: ['ghost'] }, 'VALIDATION_ERROR', 422],
  [{ temperature: 3 }, 'VALIDATION_ERROR', 422],
  [{ max_steps: 0 }, 'VALIDATION_ERROR', 422],
  [{ system_prompt: 7 }, 'VALIDATION_ERROR', 422],
])('the configuration %j is refused with %s, and the old engine stays', async (config, code, status) => {
  const { url, id, prompt } = await start();
  const engine = `${url}/api/sessions/${id}/engine`;
  const before = (await call('GET', engine)).body;
  expect(await call('PUT', engine, { engine_type: 'ToolChatEngine', engine_config: config })).toMatchObject({
    status,
    body: { code },
  });
  expect((await call('GET', engine)).body).toEqual(before);
  expect(await prompt()).toMatchObject({ status: 'completed' });
});
