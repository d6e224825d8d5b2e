/** What a configuration and a model may do with tools. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../../../../../tests/helpers/model-app.ts';
import type { ScriptedCall } from '../../../../../tests/helpers/model-server.ts';
import { call } from '../../../../../tests/helpers/rest.ts';
import { testGate } from '../../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../../src/extensibility/factory.ts';
import type { ServerTool, ToolDefinition } from '../../../src/tools/types.ts';

function tool(
  name: string,
  execute: ServerTool['execute'],
  extra: Partial<ToolDefinition> = {},
): ToolDefinition {
  return { name, description: name, parameters: z.object({ n: z.int().optional() }), execute, ...extra };
}

async function start(tools: ToolDefinition[], engine_config: object = {}, config: object = {}) {
  const apiFactory = new ExtensibleAPIFactory();
  for (const one of tools) apiFactory.registerTool(one);
  const app = await startModelApp({ apiFactory, config });
  const id = await app.createSession({ engine_type: 'ToolChatEngine', engine_config });
  const socket = await TestSocket.open(app.wsUrl(id));
  const asks = (...toolCalls: ScriptedCall[]) => app.models.script({ steps: [{ toolCalls }] });
  const told = () =>
    (app.models.requests.at(-1)?.body.messages ?? [])
      .filter(({ role }) => role === 'tool')
      .map(({ tool_call_id, content }) => [tool_call_id, content]);
  const statuses = () =>
    socket.events.filter(({ event_type }) => event_type === 'status').map(({ payload }) => payload.text);
  const answer = async (body: object) => {
    const { data } = await socket.findEvent('input_requested');
    return call('POST', `${app.url}/api/sessions/${id}/requests/${data.payload.request_id}`, body);
  };
  return {
    ...app,
    id,
    socket,
    asks,
    told,
    statuses,
    answer,
    prompt: () => socket.run('prompt', { prompt: 'Hi' }),
  };
}

const asksUser: ToolDefinition = {
  name: 'ask',
  description: 'Asks',
  parameters: z.object({ question: z.string() }),
  form: ({ question }) => ({
    prompt: String(question),
    schema: { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'] },
  }),
} as ToolDefinition;

test.each(['*', 'safe'])(
  'the configuration may want an approval of %j, which the tool does not',
  async (name) => {
    const done: unknown[] = [];
    const { asks, told, answer, prompt, statuses } = await start(
      [tool('safe', (args) => done.push(args), { approval: false })],
      { approval: [name] },
    );
    asks({ name: 'safe', arguments: { n: 7 } });
    const result = prompt();
    expect((await answer({ outcome: 'approved' })).status).toBe(200);
    expect(await result).toMatchObject({ status: 'completed' });
    expect(done).toEqual([{ n: 7 }]);
    expect(told()).toEqual([['call_1', '1']]);
    expect(statuses()).toEqual(['Waiting for an approval of safe', 'Running safe']);
  },
);

test('the approvals that a tool wants stay, whatever the configuration names', async () => {
  const done: unknown[] = [];
  const { asks, told, answer, prompt } = await start(
    [tool('safe', () => 'safe'), tool('risky', (args) => done.push(args), { approval: true })],
    { approval: ['safe'] },
  );
  asks({ name: 'risky', arguments: {} });
  const result = prompt();
  await answer({ outcome: 'denied', reason: 'not today' });
  await result;
  expect(done).toEqual([]);
  expect(told()).toEqual([['call_1', expect.stringContaining('not today')]]);
});

test('who was asked decides, although nobody would be asked any more when the answer comes', async () => {
  const done: unknown[] = [];
  const decisions = [true];
  const { asks, told, answer, prompt } = await start([
    tool('risky', (args) => done.push(args), { approval: () => decisions.shift() ?? false }),
  ]);
  asks({ name: 'risky', arguments: {} });
  const result = prompt();
  await answer({ outcome: 'denied', reason: 'never' });
  expect(await result).toMatchObject({ status: 'completed' });
  expect(done).toEqual([]);
  expect(told()).toEqual([['call_1', expect.stringContaining('never')]]);
});

const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

test('arguments and results that are nested without end are errors for the model, and not the end of the run', async () => {
  const done: unknown[] = [];
  const { asks, told, prompt } = await start([
    tool('take', (args) => done.push(args)),
    tool('give', () => nested(5000)),
  ]);
  asks({ name: 'take', arguments: { n: nested(5000) } }, { name: 'give', arguments: {} });
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect(done).toEqual([]);
  expect(told()).toEqual([
    ['call_1', expect.stringContaining('The arguments are not valid')],
    ['call_2', expect.stringContaining('nested too deeply')],
  ]);
});

test('the model gets no tool that it was not offered, although it is there', async () => {
  const done: unknown[] = [];
  const { asks, told, prompt } = await start([
    tool('hidden', (args) => done.push(args), { optIn: true }),
    tool('shown', () => 'shown'),
  ]);
  asks({ name: 'hidden', arguments: {} }, { name: 'shown', arguments: {} });
  await prompt();
  expect(done).toEqual([]);
  expect(told()).toEqual([
    ['call_1', expect.stringMatching(/There is no tool .*hidden.*; there are: .*shown/)],
    ['call_2', 'shown'],
  ]);
});

test('a person fills in a form, which is the result; it is the same request for whoever looks', async () => {
  const { asks, told, answer, prompt, statuses, socket } = await start([asksUser], { approval: ['*'] });
  asks({ name: 'ask', arguments: { question: 'Which colour?' } });
  const result = prompt();
  const { data } = await socket.findEvent('input_requested');
  expect(data.payload).toMatchObject({
    kind: 'form',
    prompt: 'Which colour?',
    tool_name: 'ask',
    tool_call_id: 'call_1',
    schema: { required: ['answer'] },
  });
  expect((await answer({ outcome: 'submitted', value: { answer: 7 } })).status).toBe(422);
  expect((await answer({ outcome: 'submitted', value: { answer: 'red' } })).status).toBe(200);
  expect(await result).toMatchObject({ status: 'completed' });
  expect(told()).toEqual([['call_1', '{"answer":"red"}']]);
  expect(statuses()).toEqual(['Waiting for an answer']);
  const types = socket.events.map(({ event_type }) => event_type).filter((type) => /tool|input/.test(type));
  expect(types).toEqual(['tool_call', 'input_requested', 'input_resolved', 'tool_result']);
});

test.each([
  ['denied', { outcome: 'denied', reason: 'private' }, {}, /would not answer.*Reason: private/],
  ['not answered in time', null, { requestTimeout: 0.1 }, /Nobody answered in time/],
])('a form that is %s is an error for the model', async (_, given, config, message) => {
  const { asks, told, answer, prompt } = await start([asksUser], {}, config);
  asks({ name: 'ask', arguments: { question: 'Which colour?' } });
  const result = prompt();
  if (given) await answer(given);
  expect(await result).toMatchObject({ status: 'completed' });
  expect(told()).toEqual([['call_1', expect.stringMatching(message)]]);
});

test.each<[string, ToolDefinition['form']]>([
  [
    'throws',
    () => {
      throw new Error('no ink');
    },
  ],
  ['has a schema that is none', () => ({ prompt: 'Well?', schema: { type: 'nonsense' } })],
])('a form that %s is an error for the model, and the run goes on', async (_, form) => {
  const { asks, told, prompt } = await start([{ ...asksUser, form } as ToolDefinition]);
  asks({ name: 'ask', arguments: { question: 'Well?' } });
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect(told()).toEqual([['call_1', expect.stringMatching(/^Error: .*(no ink|schema)/)]]);
});

test('calls that a server gives one id are kept apart, and each has its own result', async () => {
  const { asks, told, prompt, models } = await start([
    tool('twice', ({ n }: { n?: number }) => n ?? 0),
  ] as never);
  asks(...[1, 2, 3].map((n) => ({ id: 'same', name: 'twice', arguments: { n } })));
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect(told()).toEqual([
    ['same', '1'],
    ['same_2', '2'],
    ['same_3', '3'],
  ]);
  expect(models.refusals).toEqual([]);
});

test.each([
  [1000, { status: 'completed', error: null }],
  [1001, { status: 'failed', error: { code: 'MODEL_ERROR', message: expect.stringMatching(/1000 tools/) } }],
])('an answer may have at most 1000 calls, and they may all have one id: %i', async (count, end) => {
  const { asks, told, prompt } = await start([tool('look', () => 'seen')]);
  asks(...Array.from({ length: count }, () => ({ name: 'look', arguments: {}, id: 'same' })));
  expect(await prompt()).toMatchObject(end);
  expect(new Set(told().map(([id]) => id)).size).toBe(end.error ? 0 : count);
});

test('of very many calls in one answer 64 are executed, 16 at a time, and all have a result', async () => {
  let [running, most, executed] = [0, 0, 0];
  const gate = testGate();
  const { asks, told, prompt, statuses, models } = await start([
    tool('busy', async () => {
      executed++;
      running++;
      most = Math.max(most, running);
      if (running === 16) gate.open();
      await gate.pass();
      running--;
      return 'done';
    }),
  ]);
  asks(...Array.from({ length: 70 }, () => ({ name: 'busy', arguments: {} })));
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect({ most, executed }).toEqual({ most: 16, executed: 64 });
  expect(told()).toHaveLength(70);
  expect(told().filter(([, content]) => content === 'done')).toHaveLength(64);
  expect(told()[69]?.[1]).toMatch(/At most 64/);
  expect(statuses()).toEqual(['Running busy (64 times)']);
  expect(models.refusals).toEqual([]);
});

test('with parallel_tool_calls false the next call begins after the one before', async () => {
  const log: string[] = [];
  const { asks, prompt } = await start(
    [
      tool('one', async () => {
        log.push('begin');
        await new Promise(setImmediate);
        log.push('end');
        return null;
      }),
    ],
    { parallel_tool_calls: false },
  );
  asks({ name: 'one', arguments: {} }, { name: 'one', arguments: {} });
  await prompt();
  expect(log).toEqual(['begin', 'end', 'begin', 'end']);
});

test('tool_timeout is what a tool gets, whatever it wants itself', async () => {
  const signal = Promise.withResolvers<AbortSignal>();
  const { asks, told, prompt } = await start(
    [
      tool(
        'slow',
        (_, context) => {
          signal.resolve(context.signal);
          return new Promise(() => {});
        },
        { timeoutMs: 3_600_000 },
      ),
    ],
    { tool_timeout: 0.02 },
  );
  asks({ name: 'slow', arguments: {} });
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect(told()).toEqual([['call_1', expect.stringContaining('timed out after 20 ms')]]);
  expect((await signal.promise).aborted).toBe(true);
});

test('of a text that is too long the model gets the beginning, and hears how much there was', async () => {
  const { asks, told, prompt, socket } = await start([tool('long', () => '😀'.repeat(60_000))]);
  asks({ name: 'long', arguments: {} });
  expect(await prompt()).toMatchObject({ status: 'completed' });
  expect(told()[0]?.[1]).toMatch(/^(😀){50000}\n\[cut: 100000 of 120000 characters\]$/u);
  expect((await socket.findEvent('tool_result')).data.payload.is_error).toBe(false);
});

test('people are told what runs, and then what is waited for', async () => {
  const { asks, answer, prompt, statuses } = await start([
    tool('quick', () => 1),
    tool('risky', () => 2, { approval: true }),
  ]);
  asks({ name: 'quick', arguments: {} }, { name: 'risky', arguments: {} }, { name: 'quick', arguments: {} });
  const result = prompt();
  await answer({ outcome: 'approved' });
  await result;
  expect(statuses()).toEqual([
    'Running quick (2 times)',
    'Waiting for an approval of risky',
    'Running risky',
  ]);
});

test('calls of the last step, which has no tools, are answered in the conversation, and not executed', async () => {
  const done: unknown[] = [];
  const { models, prompt, url, id } = await start([tool('act', (args) => done.push(args))], { max_steps: 1 });
  models.script({ steps: [{ text: 'I try.' }, { toolCalls: [{ name: 'act', arguments: {} }] }] });
  expect(await prompt()).toMatchObject({ status: 'completed', result: { text: 'I try.' } });
  expect(done).toEqual([]);
  const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
  expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'tool']);
  expect(messages[2].parts).toMatchObject([{ tool_call_id: 'call_1', is_error: true }]);
  await prompt();
  expect(models.refusals).toEqual([]);
});
