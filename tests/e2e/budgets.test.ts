/** What models cost, what is summed, and what budgets hold back: over a server that speaks the OpenAI wire. */
import { randomUUID } from 'node:crypto';
import type { CommandResult, Run, SessionDetail, Usage } from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import { startServer } from '../helpers/child-server.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** In a million tokens: 0.001 for each of input, 0.002 for each of output. */
const PRICES = { 'openai-compatible:*': { input: 1000, cached_input: 100, output: 2000 } };
const PROMPT = 'Hi there';
/** By the rule of thumb: 4 for a message, and a token for four characters. */
const PROMPT_TOKENS = 6;

const wire = (prompt_tokens: number, completion_tokens: number, cached_tokens?: number) => ({
  prompt_tokens,
  completion_tokens,
  total_tokens: prompt_tokens + completion_tokens,
  ...(cached_tokens === undefined ? {} : { prompt_tokens_details: { cached_tokens } }),
});
const answer = (prompt: number, completion: number, text = 'Hello') => ({
  steps: [{ text }],
  usage: wire(prompt, completion),
});
const toolCall = (prompt: number, completion: number) => ({
  steps: [{ toolCalls: [{ name: 'calculate', arguments: { expression: '1+1' } }] }],
  usage: wire(prompt, completion),
});

const promptTo = async (url: string, id: string, prompt = PROMPT): Promise<CommandResult> => {
  const body = { command: 'prompt', parameters: { prompt } };
  return (await call('POST', `${url}/api/sessions/${id}/commands`, body)).body;
};
const sessionOf = async (url: string, id: string): Promise<SessionDetail> =>
  (await call('GET', `${url}/api/sessions/${id}`)).body;
const runsOf = async (url: string, id: string): Promise<Run[]> =>
  (await call('GET', `${url}/api/sessions/${id}/runs`)).body.runs;

const SINGLE = { engine_type: 'SinglePassEngine' };
const LOOP = { engine_type: 'ToolChatEngine', engine_config: { tools: ['calculate'] } };

function sumOf(usages: readonly (Usage | null)[]) {
  const sum = { input_tokens: 0, output_tokens: 0, total_tokens: 0, cost: 0 };
  for (const usage of usages) {
    sum.input_tokens += usage?.input_tokens ?? 0;
    sum.output_tokens += usage?.output_tokens ?? 0;
    sum.total_tokens += usage?.total_tokens ?? 0;
    sum.cost = Number((sum.cost + (usage?.cost ?? 0)).toFixed(10));
  }
  return sum;
}

describe('usage', () => {
  test('of a run has its cost, and a session has the sum of its runs, one by one and in the list', async () => {
    const { models, url, createSession } = await startModelApp({ config: { prices: PRICES } });
    const id = await createSession(LOOP);
    models.script({ ...toolCall(1000, 10), usage: wire(1000, 10, 400) }, answer(1100, 5), answer(10, 1));

    const first = await promptTo(url, id);
    const second = await promptTo(url, id);

    expect(first.usage).toMatchObject({ input_tokens: 2100, output_tokens: 15, cost: 1.77 });
    expect(second.usage?.cost).toBe(0.012);
    const session = await sessionOf(url, id);
    expect(session.usage).toMatchObject({
      ...sumOf([first.usage, second.usage]),
      cached_input_tokens: 400,
      steps: 3,
    });
    expect(session.usage?.seconds).toBeGreaterThan(0);
    const list = (await call('GET', `${url}/api/sessions`)).body.sessions;
    expect(list).toMatchObject([{ session_id: id, usage: session.usage }]);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^llmgine_cost_total 1\.782$/m);
  });

  test('without a price has no cost, and a session that has called no model has no usage', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { prices: { 'other:*': PRICES['openai-compatible:*'] } },
    });
    const id = await createSession(SINGLE);
    expect(await sessionOf(url, id)).not.toHaveProperty('usage');
    models.script(answer(5, 5));

    expect((await promptTo(url, id)).usage).not.toHaveProperty('cost');
    expect((await sessionOf(url, id)).usage).not.toHaveProperty('cost');
  });

  test.each([
    ['without budgets', {}],
    ['under budgets', { session: { tokens: 100_000 }, principal: { tokens: 100_000, cost: 1000 } }],
  ])('adds up over a conversation with a cancelled run and a failed one, %s', async (_, budgets) => {
    const { models, url, wsUrl, createSession } = await startModelApp({
      config: { prices: PRICES, budgets, modelRetries: 0 },
    });
    const id = await createSession(LOOP);
    const gate = models.gate();
    models.script(
      answer(10, 2),
      toolCall(20, 4),
      { steps: [{ text: 'Half a sentence' }, { gate }] },
      toolCall(30, 6),
      { status: 500, error: { message: 'broken' } },
      answer(40, 8),
    );
    await promptTo(url, id);
    const socket = await TestSocket.open(wsUrl(id));
    const runId = randomUUID();
    const cancelled = socket.run('prompt', { prompt: PROMPT }, { run_id: runId });
    await gate.reached;
    await socket.find(({ data }) => data.payload?.text?.includes('sentence'));
    await call('POST', `${url}/api/sessions/${id}/runs/${runId}/cancel`);
    expect((await cancelled).status).toBe('cancelled');
    expect(await promptTo(url, id)).toMatchObject({ status: 'failed', error: { code: 'MODEL_ERROR' } });
    await promptTo(url, id);

    const runs = await runsOf(url, id);
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'failed', 'cancelled', 'completed']);
    expect((await sessionOf(url, id)).usage).toMatchObject(sumOf(runs.map(({ usage }) => usage)));
    // What the provider refused to answer counts nothing.
    expect(runs[1]?.usage).toMatchObject({ input_tokens: 30, output_tokens: 6 });
    // What was cut off counts by estimate where a budget has to hold.
    const cut = (runs[2]?.usage?.output_tokens ?? 0) - 4;
    expect(cut).toBe('session' in budgets ? 'Half a sentence'.length / 4 + 0.25 : 0);
  });
});

const KINDS = {
  tokens: { limit: 2000, message: /is 2000 tokens, and 2000 are used/ },
  cost: { limit: 2.5, message: /is 2.5 of cost, and 2.5 are used/ },
  steps: { limit: 1, message: /is 1 step, and 1 are used/ },
} as const;
const SCOPES = { run: /this run/, session: /this session/, principal: /the caller today/ } as const;

describe.each(Object.keys(SCOPES) as (keyof typeof SCOPES)[])('a budget of the %s', (scope) => {
  test.each(Object.keys(KINDS) as (keyof typeof KINDS)[])(
    'check 30 (AISVS 9.1.2): in %s ends the run that comes to it',
    async (kind) => {
      const { limit, message } = KINDS[kind];
      const { models, url, createSession } = await startModelApp({
        config: { prices: PRICES, budgets: { [scope]: { [kind]: limit } } },
      });
      models.respond = () => answer(1, 1);
      models.script(toolCall(1500, 500));
      const id = await createSession(LOOP);
      const other = await createSession(LOOP);

      const failed = await promptTo(url, id);

      expect(failed).toMatchObject({ status: 'failed', error: { code: 'BUDGET_EXCEEDED' } });
      expect(failed.error?.message).toMatch(SCOPES[scope]);
      expect(failed.error?.message).toMatch(message);
      expect(failed.usage).toMatchObject({ total_tokens: 2000, cost: 2.5 });
      expect(models.requests).toHaveLength(1);
      expect((await sessionOf(url, id)).usage).toMatchObject({ total_tokens: 2000, cost: 2.5, steps: 1 });
      // The narrower it is, the more goes on.
      expect((await promptTo(url, id)).status).toBe(scope === 'run' ? 'completed' : 'failed');
      expect((await promptTo(url, other)).status).toBe(scope === 'principal' ? 'failed' : 'completed');
    },
  );

  test('check 30 (AISVS 9.1.2): in seconds stops the run in the middle of an answer', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { budgets: { [scope]: { seconds: 1.5 } } },
    });
    const gate = models.gate();
    models.respond = () => answer(1, 1);
    models.script({ steps: [{ text: 'Hello' }, { gate }] });
    const id = await createSession(SINGLE);
    const other = await createSession(SINGLE);

    const failed = await promptTo(url, id);

    expect(failed).toMatchObject({ status: 'failed', error: { code: 'BUDGET_EXCEEDED' } });
    expect(failed.error?.message).toMatch(SCOPES[scope]);
    expect(failed.error?.message).toMatch(/is 1.5 seconds/);
    await models.requests[0]?.closed;
    // What it was given counts, and what was said until then.
    expect(failed.usage?.input_tokens).toBe(PROMPT_TOKENS);
    expect(failed.usage?.output_tokens).toBeLessThanOrEqual(2);
    await promptTo(url, id);
    expect(models.requests).toHaveLength(scope === 'run' ? 2 : 1);
    await promptTo(url, other);
    expect(models.requests).toHaveLength({ run: 3, session: 2, principal: 1 }[scope]);
  });
});

describe('a call under a budget', () => {
  test('is told how much it may say', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { prices: PRICES, budgets: { session: { tokens: 500 }, run: { cost: 0.406 } } },
    });
    const id = await createSession(SINGLE);
    const modest = await createSession({ ...SINGLE, engine_config: { max_output_tokens: 33 } });
    models.script(answer(6, 200), answer(6, 200), answer(6, 9), answer(6, 20));
    for (const session of [id, id, id, modest]) await promptTo(url, session);

    expect(models.requests.map(({ body }) => body.max_tokens)).toEqual([
      200,
      200,
      500 - 2 * 206 - PROMPT_TOKENS,
      33,
    ]);
  });

  test('check 30 (AISVS 9.1.2): that cannot fit is refused before it is made', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { budgets: { run: { tokens: 50 } } },
    });
    const id = await createSession(SINGLE);

    const { error } = await promptTo(url, id, 'x'.repeat(400));

    expect(error?.code).toBe('BUDGET_EXCEEDED');
    expect(error?.message).toMatch(/is 50 tokens, and 0 are used.*needs at least 120/);
    expect(models.requests).toHaveLength(0);
    expect(await sessionOf(url, id)).not.toHaveProperty('usage');
  });

  test('check 30 (AISVS 9.1.2): is cut off when the model says far more than it was allowed', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { budgets: { run: { tokens: 50 } } },
    });
    const gate = models.gate();
    const flood = Array.from({ length: 20 }, () => ({ text: 'blah '.repeat(10) }));
    models.script({ steps: [...flood, { gate }] });
    const id = await createSession(SINGLE);

    const { status, error, usage } = await promptTo(url, id);

    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'BUDGET_EXCEEDED' });
    expect(error?.message).toMatch(/far more than the 44 tokens/);
    await models.requests[0]?.closed;
    expect(usage?.output_tokens).toBeGreaterThan(44);
  });

  test('counts by estimate when its provider does not count', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { prices: PRICES, budgets: { session: { tokens: 100 } } },
    });
    models.script({ steps: [{ text: 'x'.repeat(40) }], usage: null });
    const id = await createSession(SINGLE);

    const { usage } = await promptTo(url, id);

    const estimate = { input_tokens: PROMPT_TOKENS, output_tokens: 10, total_tokens: 16, cost: 0.026 };
    expect(usage).toEqual(estimate);
    expect((await sessionOf(url, id)).usage).toMatchObject({ ...estimate, steps: 1 });
  });

  test('of a session that is deleted meanwhile counts all that was set aside', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { budgets: { principal: { tokens: 1000 } } },
    });
    const gate = models.gate();
    models.script({ steps: [{ gate }] });
    const doomed = await createSession({ ...SINGLE, engine_config: { max_output_tokens: 500 } });
    const socket = call('POST', `${url}/api/sessions/${doomed}/commands`, {
      command: 'prompt',
      parameters: { prompt: PROMPT },
    });
    await gate.reached;
    await call('DELETE', `${url}/api/sessions/${doomed}`);
    await socket;
    const id = await createSession(SINGLE);
    models.script(answer(6, 1));

    await promptTo(url, id);

    expect(models.requests[1]?.body.max_tokens).toBe(1000 - (500 + PROMPT_TOKENS) - PROMPT_TOKENS);
  });
});

describe('budget of an engine', () => {
  test('tightens what each run may use, and cannot loosen it', async () => {
    const { models, url, createSession } = await startModelApp({
      config: { budgets: { run: { tokens: 300 } } },
    });
    models.respond = () => answer(6, 1);
    const tight = await createSession({ ...SINGLE, engine_config: { budget: { tokens: 100 } } });
    const loose = await createSession({ ...SINGLE, engine_config: { budget: { tokens: 5000 } } });
    await promptTo(url, tight);
    await promptTo(url, loose);

    expect(models.requests.map(({ body }) => body.max_tokens)).toEqual([
      100 - PROMPT_TOKENS,
      300 - PROMPT_TOKENS,
    ]);
  });

  test('with an unknown kind or a limit that is none is refused when it is linked', async () => {
    const { url } = await startModelApp();
    for (const budget of [{ tokens: 0 }, { cost: -1 }, { token: 5 }, { steps: 1.5 }, 5]) {
      const { status } = await call('POST', `${url}/api/sessions`, { ...SINGLE, engine_config: { budget } });
      expect(status, JSON.stringify(budget)).toBe(422);
    }
  });
});

describe.each(STORAGES)('on %s', (name, newData) => {
  test('check 30: twenty runs of one caller at once never use more than the caller may', async () => {
    const data = await newData();
    const limit = 1000;
    const config = { ...data, budgets: { principal: { tokens: limit } } };
    const apps = [await startModelApp({ config })];
    if (name === 'Postgres') apps.push(await startModelApp({ config }));
    const gates = apps.map(({ models }) => models.gate());
    for (const [index, { models }] of apps.entries()) {
      // As many as it may, and all of them at the same time.
      models.respond = ({ body }) => ({
        steps: [{ text: 'Hi' }, { gate: gates[index] as (typeof gates)[number] }],
        usage: wire(PROMPT_TOKENS, Number(body.max_tokens)),
      });
    }
    const prompts = Array.from({ length: 20 }, async (_, index) => {
      const { url, createSession } = apps[index % apps.length] as (typeof apps)[number];
      const id = await createSession({ ...SINGLE, engine_config: { max_output_tokens: 180 } });
      return promptTo(url, id);
    });
    const room = Math.ceil((limit - 2 * PROMPT_TOKENS) / 186);
    const results = Promise.all(prompts);
    // Those that find no room end while the others still hold theirs.
    const refused = await untilSettled(prompts, 20 - room);
    for (const gate of gates) gate.release();

    expect(refused.every(({ error }) => error?.code === 'BUDGET_EXCEEDED')).toBe(true);
    const all = await results;
    const total = sumOf(all.map(({ usage }) => usage)).total_tokens;
    expect(all.filter(({ status }) => status === 'completed')).toHaveLength(room);
    expect(total).toBeLessThanOrEqual(limit);
    expect(total).toBeGreaterThan(limit - 30);
  });

  test('a process that dies in the middle of an answer leaves nothing set aside, and what was said counts', async () => {
    const { databaseUrl } = await newData();
    const models = await startTestModels();
    const limit = 5000;
    const start = () =>
      startServer({
        LLMGINE_API_DATABASE_URL: databaseUrl ?? '',
        LLMGINE_API_MODEL: 'openai-compatible:x',
        LLMGINE_API_RUN_LEASE: '3',
        LLMGINE_API_BUDGETS: JSON.stringify({ principal: { tokens: limit } }),
        OPENAI_BASE_URL: models.baseUrl,
      });
    const gate = models.gate();
    models.script({ steps: [{ text: 'Half a sentence' }, { gate }] }, answer(10, 100), answer(10, 1));
    const first = await start();
    const id = (await call('POST', `${first.url}/api/sessions`, SINGLE)).body.session_id;
    const socket = await TestSocket.open(first.wsUrl(id));
    const runId = randomUUID();
    socket.send({
      type: 'command',
      data: { command: 'prompt', parameters: { prompt: PROMPT }, run_id: runId },
    });
    await socket.find(({ data: { payload } }) => payload?.text?.includes('sentence'));

    await first.kill('SIGKILL');
    const again = await start();

    const body = { command: 'prompt', parameters: { prompt: PROMPT }, run_id: runId };
    const { usage } = (await call('POST', `${again.url}/api/sessions/${id}/commands`, body)).body;
    const cut = PROMPT_TOKENS + 4;
    expect(usage).toEqual({ input_tokens: 16, output_tokens: 104, total_tokens: 110 + cut });
    expect((await sessionOf(again.url, id)).usage).toMatchObject({ ...usage, steps: 2 });
    await promptTo(again.url, id);
    expect(models.requests.map(({ body }) => body.max_tokens)).toEqual([
      limit - PROMPT_TOKENS,
      limit - cut - PROMPT_TOKENS,
      limit - cut - 110 - PROMPT_TOKENS,
    ]);
  });
});

test('a run that another process cancels counts what the log has of its call, and sets nothing aside any more', async () => {
  const [, newData] = STORAGES.find(([name]) => name === 'Postgres') ?? [];
  const config = { ...(await newData?.()), budgets: { principal: { tokens: 1000 } } };
  const one = await startModelApp({ config });
  const two = await startModelApp({ config });
  const gate = one.models.gate();
  one.models.script({ steps: [{ text: 'Half a sentence' }, { gate }] });
  const id = await one.createSession(SINGLE);
  const socket = await TestSocket.open(one.wsUrl(id));
  const runId = randomUUID();
  socket.send({
    type: 'command',
    data: { command: 'prompt', parameters: { prompt: PROMPT }, run_id: runId },
  });
  await socket.find(({ data: { payload } }) => payload?.text?.includes('sentence'));

  await call('POST', `${two.url}/api/sessions/${id}/runs/${runId}/cancel`);

  const cut = { input_tokens: PROMPT_TOKENS, output_tokens: 4, total_tokens: PROMPT_TOKENS + 4 };
  expect(await runsOf(two.url, id)).toMatchObject([{ status: 'cancelled', usage: cut }]);
  expect((await sessionOf(two.url, id)).usage).toMatchObject({ ...cut, steps: 1 });
  two.models.script(answer(6, 1));
  await promptTo(two.url, await two.createSession(SINGLE));
  expect(two.models.requests[0]?.body.max_tokens).toBe(1000 - cut.total_tokens - PROMPT_TOKENS);
});

/** The first results of some promises, whichever they are. */
async function untilSettled<T>(promises: readonly Promise<T>[], count: number): Promise<T[]> {
  const settled: T[] = [];
  if (count <= 0) return settled;
  await new Promise<void>((resolve, reject) => {
    for (const promise of promises) {
      promise.then((value) => {
        if (settled.length < count) settled.push(value);
        if (settled.length === count) resolve();
      }, reject);
    }
  });
  return settled;
}
