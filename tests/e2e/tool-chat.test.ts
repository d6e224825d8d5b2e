/**
 * A long conversation with all that can happen to one: three tools at a time, providers that take turns, an MCP server that
 * is killed, approvals that are denied and not given, a run that is cancelled, and a server that dies. Whatever happens,
 * every request is one that its provider takes.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../helpers/anthropic-server.ts';
import { tempDir } from '../helpers/app.ts';
import { type ChildServer, startServer } from '../helpers/child-server.ts';
import { validateConversation } from '../helpers/conversation-validator.ts';
import { startGeminiServer } from '../helpers/gemini-server.ts';
import { type ModelScript, type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const EVERYTHING = fileURLToPath(
  import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
);
const TURNS = 50;
const PROVIDERS = [
  'openai-compatible:gpt',
  'anthropic:claude-sonnet-4-5',
  'google:gemini-3.5-flash',
] as const;
/** So small that the beginning is soon left out. */
const WINDOW = 3000;

/** Model servers of three wires, which say what the test says, whichever is asked. */
async function threeProviders() {
  const servers = [
    await startModelServer(),
    await startAnthropicServer(),
    await startGeminiServer(),
  ] as const;
  const [openai, anthropic, google] = servers;
  onTestFinished(async () => {
    for (const server of servers) await server.close();
  });
  const all = servers as unknown as readonly ModelServer<unknown>[];
  let answer: () => ModelScript = () => ({ steps: [{ text: 'Done.' }] });
  for (const server of all) server.respond = () => answer();
  return {
    env: {
      OPENAI_BASE_URL: openai.baseUrl,
      ANTHROPIC_API_KEY: 'test',
      ANTHROPIC_BASE_URL: anthropic.origin,
      GOOGLE_GENERATIVE_AI_API_KEY: 'test',
      GOOGLE_GENERATIVE_AI_BASE_URL: google.baseUrl,
    },
    /** What the next answers are, in order; after them `Done.` */
    say: (...scripts: ModelScript[]) => {
      answer = () => scripts.shift() ?? { steps: [{ reasoning: 'It is done.' }, { text: 'Done.' }] };
    },
    gate: () => openai.gate(),
    refusals: () => all.flatMap(({ refusals }) => refusals),
    requests: () => all.map(({ requests }) => requests.length),
    lastRequest: (n: number) => JSON.stringify(all[n]?.requests.at(-1)?.body),
  };
}

/** The MCP server that a server has started. */
async function mcpServerOf({ child: { pid } }: ChildServer): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
  for (const child of children) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8');
    if (command.includes(EVERYTHING)) return Number(child);
  }
  throw new Error('there is no MCP server');
}

const threeCalls = (n: number): ModelScript => ({
  steps: [
    { reasoning: `Three things are to be done in turn ${n}.` },
    { text: `Let me see. ` },
    {
      toolCalls: [
        { name: 'calculate', arguments: { expression: `${n} * 2` } },
        { name: 'all__echo', arguments: { message: `turn ${n} ${'word '.repeat(40)}` } },
        { name: 'current_time', arguments: {} },
      ],
    },
  ],
});

test('a history of 50 turns stays one that every provider takes, whatever happens in it', async () => {
  const models = await threeProviders();
  const dir = await tempDir();
  const mcpConfig = join(dir, 'mcp.json');
  await writeFile(
    mcpConfig,
    JSON.stringify({ mcpServers: { all: { command: process.execPath, args: [EVERYTHING, 'stdio'] } } }),
  );
  const ready = async (server: ChildServer) => {
    await expect.poll(() => server.lines.join('\n'), { timeout: 30_000 }).toContain('MCP server ready');
    return server;
  };
  const start = async (env: Record<string, string> = {}) =>
    ready(
      await startServer({
        ...models.env,
        LLMGINE_API_DATA_DIR: dir,
        LLMGINE_API_MODEL: PROVIDERS[0],
        LLMGINE_API_MCP_CONFIG: mcpConfig,
        ...env,
      }),
    );
  let server = await start();
  const { body: session } = await call('POST', `${server.url}/api/sessions`);
  const id = session.session_id as string;
  let socket = await TestSocket.open(server.wsUrl(id));
  const interrupted: string[] = [];

  const link = (n: number, approval: string[] = []) =>
    socket.request('link_engine', {
      engine_type: 'ToolChatEngine',
      engine_config: {
        model: PROVIDERS[n % PROVIDERS.length],
        tools: ['calculate', 'current_time', 'all__*'],
        approval,
        max_context_tokens: WINDOW,
      },
    });
  const prompt = (n: number, run_id = randomUUID()) =>
    socket.run('prompt', { prompt: `This is turn ${n}.` }, { run_id });
  const restart = async (env: Record<string, string> = {}) => {
    server = await start(env);
    socket = await TestSocket.open(server.wsUrl(id));
    await socket.request('subscribe');
  };
  const asked = (runId: string) => socket.findEvent('input_requested', runId);
  const results = (runId: string) =>
    socket.events
      .filter(({ event_type, run_id }) => event_type === 'tool_result' && run_id === runId)
      .map(({ payload }) => payload);

  const special: Record<number, (n: number) => Promise<void>> = {
    // The MCP server is killed while it has a call.
    10: async (n) => {
      models.say({
        steps: [
          {
            toolCalls: [
              { name: 'all__trigger-long-running-operation', arguments: { duration: 600, steps: 600 } },
              { name: 'calculate', arguments: { expression: '1 + 1' } },
              { name: 'current_time', arguments: {} },
            ],
          },
        ],
      });
      const runId = randomUUID();
      const run = prompt(n, runId);
      await expect.poll(() => results(runId).length).toBe(2);
      process.kill(await mcpServerOf(server), 'SIGKILL');
      expect(await run).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
      expect(results(runId).map(({ is_error }) => is_error)).toEqual([false, false, true]);
      const again = () => server.lines.filter((line) => line.includes('MCP server ready')).length;
      await expect.poll(again, { timeout: 30_000 }).toBe(2);
    },
    // An approval is denied.
    18: async (n) => {
      await link(n, ['calculate']);
      models.say(threeCalls(n));
      const runId = randomUUID();
      const run = prompt(n, runId);
      const { request_id } = (await asked(runId)).data.payload;
      await socket.request('server_response', { request_id, outcome: 'denied', reason: 'not now' });
      expect(await run).toMatchObject({ status: 'completed' });
      expect(results(runId).filter(({ is_error }) => is_error)).toHaveLength(1);
    },
    // A run is cancelled while its model speaks, and another one while its tools run.
    25: async (n) => {
      const gate = models.gate();
      models.say({ steps: [{ reasoning: 'Well.' }, { text: 'Half a sen' }, { gate }] });
      const runId = randomUUID();
      const run = prompt(n, runId);
      await socket.findEvent('text_delta', runId);
      await socket.request('cancel');
      gate.release();
      expect((await run).status).toBe('cancelled');
      interrupted.push(runId);
    },
    27: async (n) => {
      models.say({
        steps: [
          {
            toolCalls: [
              { name: 'calculate', arguments: { expression: '1 + 1' } },
              { name: 'all__trigger-long-running-operation', arguments: { duration: 600, steps: 600 } },
              { name: 'current_time', arguments: {} },
            ],
          },
        ],
      });
      const runId = randomUUID();
      const run = prompt(n, runId);
      await expect.poll(() => results(runId).length).toBe(2);
      await socket.request('cancel');
      expect((await run).status).toBe('cancelled');
      interrupted.push(runId);
    },
    // Nobody gives an approval in time.
    33: async (n) => {
      await server.kill('SIGTERM');
      await restart({ LLMGINE_API_REQUEST_TIMEOUT: '0.2' });
      await link(n, ['all__*']);
      models.say(threeCalls(n));
      const runId = randomUUID();
      expect(await prompt(n, runId)).toMatchObject({ status: 'completed' });
      expect((await socket.findEvent('input_resolved', runId)).data.payload.outcome).toBe('expired');
      await server.kill('SIGTERM');
      await restart();
    },
    // The server dies while the model speaks about the results.
    40: async (n) => {
      const gate = models.gate();
      models.say(threeCalls(n), { steps: [{ text: 'Half a sen' }, { gate }] });
      const runId = randomUUID();
      const lost = prompt(n, runId).catch(() => 'lost');
      await socket.find(({ data }) => data.run_id === runId && data.payload?.text === 'Half a sen');
      const orphan = await mcpServerOf(server);
      server.child.kill('SIGKILL');
      process.kill(orphan, 'SIGKILL');
      expect(await lost).toBe('lost');
      models.say({ steps: [{ text: 'A whole sentence.' }] });
      await restart();
      const { status, result } = await prompt(n, runId);
      expect({ status, text: result.text }).toEqual({ status: 'completed', text: 'A whole sentence.' });
    },
  };

  for (let n = 1; n <= TURNS; n++) {
    if (n % 3 === 1) await link(Math.floor(n / 3));
    const happens = special[n];
    if (happens) {
      await happens(n);
      // The configuration of a special turn is its own.
      await link(Math.floor(n / 3));
      continue;
    }
    models.say(threeCalls(n));
    const run = await prompt(n);
    expect(run).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
    expect(results(run.run_id).map(({ is_error }) => is_error)).toEqual([false, false, false]);
  }

  expect(models.refusals()).toEqual([]);
  for (const count of models.requests()) expect(count).toBeGreaterThan(20);
  const page = (await call('GET', `${server.url}/api/sessions/${id}/messages?limit=100`)).body;
  const messages = [...page.messages];
  for (let { next } = page; next !== null; ) {
    const { body } = await call('GET', `${server.url}/api/sessions/${id}/messages?limit=100&before=${next}`);
    messages.unshift(...body.messages);
    next = body.next;
  }
  expect(messages.filter(({ role }) => role === 'user')).toHaveLength(TURNS);
  expect(validateConversation(messages, { interrupted })).toEqual([]);
  await server.kill('SIGTERM');
  // The beginning has been left out, and the end is there, whoever was asked last.
  for (let n = 0; n < PROVIDERS.length; n++) {
    const request = models.lastRequest(n);
    expect(request).not.toContain('This is turn 1.');
    expect(request).toMatch(/This is turn (4[5-9]|50)\./);
    expect(request.length / 4).toBeLessThan(2.5 * WINDOW);
  }
}, 180_000);
