/** What the model is sent of a conversation that does not fit. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp, tempDir } from '../../../../../tests/helpers/app.ts';
import { startModelApp, startTestModels } from '../../../../../tests/helpers/model-app.ts';
import type { ChatBody, ModelScript } from '../../../../../tests/helpers/model-server.ts';
import { call } from '../../../../../tests/helpers/rest.ts';
import { TestSocket } from '../../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../../src/extensibility/factory.ts';

const LONG = 'word '.repeat(100);

async function start(engine_config: object, config: object = {}) {
  const apiFactory = new ExtensibleAPIFactory().registerTool({
    name: 'read',
    description: 'Reads',
    parameters: z.object({}),
    execute: () => LONG.repeat(8),
  });
  const app = await startModelApp({ apiFactory, config });
  const id = await app.createSession({
    engine_type: 'ToolChatEngine',
    engine_config: { tools: [], ...engine_config },
  });
  const socket = await TestSocket.open(app.wsUrl(id));
  const prompt = (text: string) => socket.run('prompt', { prompt: `${text} ${LONG}` });
  const messages = async () => (await call('GET', `${app.url}/api/sessions/${id}/messages`)).body.messages;
  const statuses = () =>
    socket.events.filter(({ event_type }) => event_type === 'status').map(({ payload }) => payload.text);
  return { ...app, id, socket, prompt, messages, statuses };
}

const isSummaryRequest = ({ messages }: ChatBody) => /write the summary/.test(String(messages[0]?.content));
const says = (text: string): ModelScript => ({ steps: [{ text }] });

test('the oldest turns are left out, and nothing of it is lost in the conversation', async () => {
  const { models, prompt, messages } = await start({ max_context_tokens: 500 });
  for (let n = 0; n < 6; n++) expect(await prompt(`Turn ${n}`)).toMatchObject({ status: 'completed' });
  const last = models.requests.at(-1)?.body.messages ?? [];
  expect(last.length).toBeLessThan(6);
  expect(last.at(-1)?.content).toMatch(/^Turn 5/);
  expect(last[0]).toMatchObject({ role: 'user', content: expect.stringMatching(/^Turn [34]/) });
  expect(await messages()).toHaveLength(12);
});

test('in a turn that does not fit by itself, results are shortened, and the turn goes on', async () => {
  const { models, prompt } = await start({ max_context_tokens: 1500, tools: ['read'], max_steps: 6 });
  for (let n = 0; n < 4; n++)
    models.script({ steps: [{ toolCalls: [{ id: `c${n}`, name: 'read', arguments: {} }] }] });
  models.script(says('Read it all'));
  expect(await prompt('Read')).toMatchObject({ status: 'completed', result: { text: 'Read it all' } });
  const results = (models.requests.at(-1)?.body.messages ?? []).filter(({ role }) => role === 'tool');
  expect(results.map(({ tool_call_id }) => tool_call_id)).toEqual(['c0', 'c1', 'c2', 'c3']);
  expect(
    results.map(({ content }) => /\[shortened: it had 4000 characters\]$/.test(String(content))),
  ).toEqual([true, true, true, expect.any(Boolean)]);
  for (const { body } of models.requests) expect(JSON.stringify(body.messages).length / 4).toBeLessThan(1600);
  expect(models.refusals).toEqual([]);
});

test('what is left out is summarised in a step of its own, and later runs start from the summary', async () => {
  const { models, prompt, messages, socket, statuses } = await start({
    max_context_tokens: 700,
    context_strategy: 'summarize',
    system_prompt: 'Be kind.',
  });
  models.respond = ({ body }) =>
    isSummaryRequest(body)
      ? says(`Summary ${models.requests.filter((one) => isSummaryRequest(one.body)).length}`)
      : says('Yes.');
  const results = [];
  for (let n = 0; n < 12; n++) results.push(await prompt(`Turn ${n}`));
  expect(results.every(({ status, result }) => status === 'completed' && result.text === 'Yes.')).toBe(true);

  const asked = models.requests.filter(({ body }) => isSummaryRequest(body));
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.length).toBeLessThan(9);
  // Of the first turns, and then of the summary and what came after it.
  expect(asked[0]?.body.messages[1]?.content).toMatch(/User: Turn 0[\s\S]*Assistant: Yes\./);
  expect(asked[1]?.body.messages[1]?.content).toMatch(/came before:\nSummary 1/);
  expect(asked[1]?.body.messages[1]?.content).not.toContain('Turn 0');
  expect(asked[0]?.body).not.toHaveProperty('tools');

  const last = models.requests.at(-1)?.body.messages ?? [];
  expect(last[0]).toEqual({ role: 'system', content: 'Be kind.' });
  expect(last[1]).toMatchObject({ role: 'user' });
  expect(JSON.stringify(last[1]?.content)).toContain(`Summary ${asked.length}`);
  expect(JSON.stringify(last)).not.toContain('Turn 0');
  expect(JSON.stringify(last)).toContain('Turn 11');

  const kept = (await messages()).filter(({ role }: { role: string }) => role === 'system');
  expect(kept).toHaveLength(asked.length);
  expect(kept[0]).toMatchObject({
    parts: [{ type: 'text', text: 'Summary 1' }],
    metadata: { model: 'openai-compatible:x', summary_of: { messages: expect.any(Number) } },
  });
  expect(statuses()).toHaveLength(asked.length);
  expect(statuses()[0]).toMatch(/^Summarising/);
  // Its step counts, for people and for what is paid.
  const summarising = results.find(({ usage }) => usage.input_tokens === 20);
  const steps = socket.events.filter(
    ({ event_type, run_id }) => event_type === 'step_finished' && run_id === summarising?.run_id,
  );
  expect(steps.map(({ payload }) => payload.step)).toEqual([1, 2]);
  expect(models.refusals).toEqual([]);
});

test.each<[string, ModelScript]>([
  ['fails', { status: 400, error: { message: 'no' } }],
  ['is empty', { steps: [] }],
  ['is refused', { steps: [{ refusal: 'I must not.' }] }],
])('when the summary %s, the turns are left out without one, and the run goes on', async (_, script) => {
  const { models, prompt, messages } = await start({
    max_context_tokens: 600,
    context_strategy: 'summarize',
  });
  models.respond = ({ body }) => (isSummaryRequest(body) ? script : says('Yes.'));
  for (let n = 0; n < 5; n++) expect(await prompt(`Turn ${n}`)).toMatchObject({ status: 'completed' });
  expect(models.requests.filter(({ body }) => isSummaryRequest(body)).length).toBeGreaterThan(0);
  expect(models.requests.at(-1)?.body.messages[0]?.content).toMatch(/^Turn [2-4]/);
  expect((await messages()).map(({ role }: { role: string }) => role)).not.toContain('system');
});

test('a summary that the provider refuses uses nothing of a budget, and a step all the same', async () => {
  const { models, prompt, socket } = await start(
    { max_context_tokens: 600, context_strategy: 'summarize' },
    { budgets: { run: { tokens: 1e6 } } },
  );
  models.respond = ({ body }) =>
    isSummaryRequest(body) ? { status: 400, error: { message: 'no' } } : says('Yes.');
  const results = [];
  for (let n = 0; n < 5; n++) results.push(await prompt(`Turn ${n}`));
  expect(models.requests.filter(({ body }) => isSummaryRequest(body)).length).toBeGreaterThan(0);
  expect(new Set(results.map(({ usage }) => usage.total_tokens)).size).toBe(1);
  const refused = socket.events.filter(({ payload }) => payload.finish_reason === 'error');
  expect(refused[0]?.payload).toMatchObject({ step: 1, usage: { total_tokens: 0 } });
});

test('a run that is cancelled while it summarises ends, and leaves no half of a summary', async () => {
  const { models, prompt, messages, socket } = await start({
    max_context_tokens: 600,
    context_strategy: 'summarize',
  });
  const gate = models.gate();
  models.respond = ({ body }) =>
    isSummaryRequest(body) ? { steps: [{ text: 'Half' }, { gate }] } : says('Yes.');
  const runs = [];
  const begun = gate.reached.then(() => true);
  for (let n = 0; n < 5; n++) {
    const run = prompt(`Turn ${n}`);
    runs.push(run);
    if (await Promise.race([begun, run.then(() => false)])) break;
  }
  const closed = models.requests.at(-1)?.closed;
  await socket.request('cancel');
  expect((await runs.at(-1)).status).toBe('cancelled');
  await closed;
  expect((await messages()).map(({ role }: { role: string }) => role)).not.toContain('system');
});

test('a server that stops after a summary goes on with it, and writes no second one', async () => {
  const models = await startTestModels();
  const config = { databaseUrl: undefined, dataDir: await tempDir(), model: 'openai-compatible:x' };
  const launch = () => startApp({ config, env: { OPENAI_BASE_URL: models.baseUrl } });
  const before = await launch();
  const id = await before.createSession({
    engine_type: 'ToolChatEngine',
    engine_config: { max_context_tokens: 600, context_strategy: 'summarize', tools: [] },
  });
  const commands = `/api/sessions/${id}/commands`;
  const summaries = () => models.requests.filter(({ body }) => isSummaryRequest(body)).length;
  const gate = models.gate();
  models.respond = ({ body }) => {
    if (isSummaryRequest(body)) return says('They met.');
    return summaries() > 0 ? { headersGate: gate, steps: [] } : says('Yes.');
  };
  let command = {};
  for (let n = 0; summaries() === 0; n++) {
    command = { command: 'prompt', parameters: { prompt: `Turn ${n} ${LONG}` }, run_id: randomUUID() };
    const hangs = models.received(n + 2).then(() => 'hangs');
    const run = call('POST', before.url + commands, command).catch(() => null);
    await Promise.race([run, hangs]);
  }
  await before.app.close({ graceMs: 0 });

  models.respond = ({ body }) => (isSummaryRequest(body) ? says('Again.') : says('Yes.'));
  const after = await launch();
  const { body } = await call('POST', after.url + commands, command);

  expect(body).toMatchObject({ status: 'completed', result: { text: 'Yes.' } });
  expect(summaries()).toBe(1);
  expect(models.requests.at(-1)?.body.messages[0]?.content).toContain('They met.');
  const { events } = (await call('GET', `${after.url}/api/sessions/${id}/events`)).body;
  const steps = events.filter(
    (event: { event_type: string; run_id: string }) =>
      event.event_type === 'step_finished' && event.run_id === body.run_id,
  );
  expect(steps.map(({ payload }: { payload: { step: number } }) => payload.step)).toEqual([1, 2]);
});
