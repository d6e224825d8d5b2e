/** MCP servers in an application, end to end: conversations that use their tools, and servers that die meanwhile. */
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { isAlive, listenForPeer, odd, program } from '../../packages/server/test/tools/mcp/start-mcp.ts';
import { tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const EVERYTHING = program(
  fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js')),
  'stdio',
);

async function startMcpApp(mcpServers: Record<string, object>) {
  const app = await startModelApp({ config: { mcpServers } });
  const status = async () =>
    (await call('GET', `${app.url}/api/info`)).body.mcp_servers as {
      name: string;
      status: string;
      tools: number;
    }[];
  /** Resolves when these servers are ready. */
  const ready = (...names: string[]) =>
    vi.waitFor(
      async () => {
        const servers = await status();
        for (const name of names)
          expect(servers).toContainEqual(expect.objectContaining({ name, status: 'ready' }));
      },
      { timeout: 20_000 },
    );
  const chat = async (config: object = {}) =>
    TestSocket.open(
      app.wsUrl(await app.createSession({ engine_type: 'ToolChatEngine', engine_config: config })),
    );
  /** The next answer of the model asks for these calls, and the one after them ends the run. */
  const asks = (...toolCalls: { name: string; arguments: object }[]) =>
    app.models.script({ steps: [{ toolCalls }] }, { steps: [{ text: 'Done.' }] });
  /** What the model was told of its last calls. */
  const told = () => {
    const messages = app.models.requests.at(-1)?.body.messages ?? [];
    const last = messages.findLastIndex(({ role }) => role === 'assistant');
    return messages.slice(last + 1).map(({ content }) => String(content));
  };
  const toolNames = () => app.models.requests.at(-1)?.body.tools?.map((tool) => tool.function.name) ?? [];
  return { ...app, status, ready, chat, asks, told, toolNames };
}

/** Resolves when as many calls of tools that never answer have arrived at their server. */
function arrived(socket: TestSocket, calls = 1): Promise<unknown> {
  return socket.find(
    () => socket.events.filter(({ payload }) => /: at 1$/.test(payload.text)).length === calls,
  );
}

const PROMPT = { prompt: 'Go on' };

test('a model calls tools of several servers in parallel', async () => {
  const app = await startMcpApp({ all: EVERYTHING, odd: odd() });
  await app.ready('all', 'odd');
  const socket = await app.chat({ tools: ['all__*', 'odd__echo', 'calculate'] });
  app.asks(
    { name: 'all__echo', arguments: { message: 'one' } },
    { name: 'odd__echo', arguments: { text: 'two' } },
    { name: 'all__get-sum', arguments: { a: 'x', b: 1 } },
    { name: 'calculate', arguments: { expression: '1+1' } },
  );
  const result = await socket.run('prompt', PROMPT);

  expect(result).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
  const [one, two, wrong, sum] = app.told();
  expect(one).toContain('Echo: one');
  expect(two).toContain('two');
  expect(wrong).toContain('The arguments are not valid: a: ');
  expect(sum).toContain('2');
  expect(app.toolNames()).toEqual(
    expect.arrayContaining(['all__echo', 'all__get-sum', 'odd__echo', 'calculate']),
  );
  expect(app.toolNames()).not.toContain('odd__die');
});

test('a server that is killed in the middle of a conversation: the session goes on, and its tool works again', async () => {
  const app = await startMcpApp({ odd: odd() });
  await app.ready('odd');
  const socket = await app.chat();
  app.asks({ name: 'odd__pid', arguments: {} });
  await socket.run('prompt', PROMPT);
  const pid = Number(JSON.parse(app.told()[0] ?? ''));
  expect(isAlive(pid)).toBe(true);

  // Killed while a call is under way.
  app.asks({ name: 'odd__wait', arguments: {} });
  const run = socket.run('prompt', PROMPT);
  await arrived(socket);
  process.kill(pid, 'SIGKILL');
  expect(await run).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
  expect(app.told()[0]).toContain('its outcome is unknown');

  await app.ready('odd');
  app.asks({ name: 'odd__echo', arguments: { text: 'back again' } });
  expect(await socket.run('prompt', PROMPT)).toMatchObject({ status: 'completed' });
  expect(app.told()).toEqual([expect.stringContaining('back again')]);
});

test('a run that begins right after the start has the tools of a server that is quick to come', async () => {
  const app = await startMcpApp({ odd: odd() });
  const socket = await app.chat({ tools: ['odd__echo'] });
  app.asks({ name: 'odd__echo', arguments: { text: 'early' } });
  await socket.run('prompt', PROMPT);
  expect(app.told()).toEqual([expect.stringContaining('early')]);
});

test('operators see the servers in the metrics', async () => {
  const app = await startMcpApp({ odd: odd(), off: { ...odd(), disabled: true } });
  await app.ready('odd');
  const text = await (await fetch(`${app.url}/metrics`)).text();
  expect(text).toContain('llmgine_mcp_servers{status="ready"} 1');
  expect(text).toContain('llmgine_mcp_servers{status="disabled"} 1');
  expect(text).toContain('llmgine_mcp_restarts_total 0');
});

test('while a server is not there, sessions that name its tools go on without, and calls to them are told', async () => {
  const app = await startMcpApp({ gone: { command: '/no/such/program' } });
  const socket = await app.chat({ tools: ['gone__read', 'gone__*', 'current_time'] });
  app.asks({ name: 'gone__read', arguments: { path: 'x' } });
  expect(await socket.run('prompt', PROMPT)).toMatchObject({ status: 'completed' });
  expect(app.told()[0]).toContain('is not connected now');
  expect(app.toolNames()).toEqual(['current_time']);
  expect(await app.status()).toEqual([
    { name: 'gone', status: expect.stringMatching(/connecting|down/), tools: 0 },
  ]);

  const refused = await call('POST', `${app.url}/api/sessions`, {
    engine_type: 'ToolChatEngine',
    engine_config: { tools: ['nowhere__read'] },
  });
  expect(refused.body).toMatchObject({ code: 'VALIDATION_ERROR' });
});

test('with approval "always" somebody is asked, and only then the server', async () => {
  const app = await startMcpApp({ odd: { ...odd(), approval: 'always' } });
  await app.ready('odd');
  const socket = await app.chat();
  app.asks({ name: 'odd__echo', arguments: { text: 'yes' } }, { name: 'odd__pid', arguments: {} });
  const run = socket.run('prompt', PROMPT);
  await socket.find(
    () => socket.events.filter(({ event_type }) => event_type === 'input_requested').length === 2,
  );
  for (const { payload } of socket.events.filter(({ event_type }) => event_type === 'input_requested')) {
    expect(payload).toMatchObject({ kind: 'approval' });
    const outcome = payload.arguments.text === 'yes' ? 'approved' : 'denied';
    await socket.request('server_response', { request_id: payload.request_id, outcome });
  }
  expect(await run).toMatchObject({ status: 'completed' });
  const [echo, pid] = app.told();
  expect(echo).toContain('yes');
  expect(pid).toContain('denied');
});

test('a tool that is not allowed is not there, also for a model that guesses its name', async () => {
  const app = await startMcpApp({ odd: { ...odd(), allowedTools: ['echo'] } });
  await app.ready('odd');
  const socket = await app.chat();
  app.asks({ name: 'odd__env', arguments: {} });
  await socket.run('prompt', PROMPT);
  expect(app.told()[0]).toContain('There is no tool');
  expect(app.toolNames().filter((name) => name.startsWith('odd__'))).toEqual(['odd__echo']);
});

test('cancelling a run cancels its call at the server', async () => {
  const app = await startMcpApp({ odd: odd() });
  await app.ready('odd');
  const socket = await app.chat();
  app.models.script({ steps: [{ toolCalls: [{ name: 'odd__wait', arguments: {} }] }] });
  const run = socket.run('prompt', PROMPT);
  await arrived(socket);
  await socket.request('cancel');
  expect(await run).toMatchObject({ status: 'cancelled' });

  app.asks({ name: 'odd__cancelled', arguments: {} });
  await socket.run('prompt', PROMPT);
  expect(JSON.parse(app.told()[0] ?? '')).toHaveLength(1);
});

test('of a result that is too long the model does not read all, and the server stays', async () => {
  const app = await startMcpApp({ odd: odd() });
  await app.ready('odd');
  const socket = await app.chat();
  app.asks(
    { name: 'odd__huge', arguments: { size: 2_000_000 } },
    { name: 'odd__echo', arguments: { text: 'ok' } },
  );
  expect(await socket.run('prompt', PROMPT)).toMatchObject({ status: 'completed' });
  expect(app.told()[0]?.length).toBeLessThan(150_000);
  expect(app.told()[1]).toContain('ok');
});

test('a run whose process was killed goes on: what may be done again is, of the rest the outcome is unknown', async () => {
  const models = await startTestModels();
  const dir = await tempDir();
  const env = {
    LLMGINE_API_MCP_SERVERS: JSON.stringify({ odd: odd() }),
    LLMGINE_API_DATA_DIR: dir,
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  };
  models.script(
    {
      steps: [
        {
          toolCalls: [
            { name: 'odd__once', arguments: { text: `${dir}/called` } },
            { name: 'odd__wait', arguments: {} },
          ],
        },
      ],
    },
    { steps: [{ text: 'Done.' }] },
  );
  const first = await startServer(env);
  const created = await call('POST', `${first.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const id: string = created.body.session_id;
  const socket = await TestSocket.open(first.wsUrl(id));
  const { data } = await socket.request('command', { command: 'prompt', parameters: PROMPT });
  await arrived(socket, 2);
  await first.kill('SIGKILL');

  const second = await startServer(env);
  const again = await TestSocket.open(second.wsUrl(id));
  const result = await again.run('prompt', PROMPT, { run_id: data.run_id });
  expect(result).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
  const told = models.requests
    .at(-1)
    ?.body.messages.slice(-2)
    .map(({ content }) => String(content));
  expect(told).toEqual([
    expect.stringContaining('the second time'),
    expect.stringContaining('outcome is unknown'),
  ]);
  expect(models.requests.at(-1)?.body.tools?.map((tool) => tool.function.name)).toContain('odd__once');
});

test('an application that is stopped, ended at once, or killed leaves no child behind', async () => {
  const start = async (...flags: string[]) => {
    const peer = await listenForPeer();
    const servers = JSON.stringify({ odd: odd(`--peer=${peer.port}`, ...flags) });
    const server = await startServer({
      LLMGINE_API_MCP_SERVERS: servers,
      LLMGINE_API_DATABASE_URL: ':memory:',
    });
    await peer.arrived;
    return { server, peer };
  };
  const [stopped, ended, killed] = await Promise.all([
    start('--stubborn'),
    start('--stubborn', '--hang'),
    start(),
  ]);

  expect(await stopped.server.kill('SIGTERM')).toMatchObject({ code: 0 });
  await stopped.peer.gone;
  ended.server.child.kill('SIGTERM');
  await ended.server.kill('SIGINT');
  await ended.peer.gone;
  await killed.server.kill('SIGKILL');
  await killed.peer.gone;
});

test('a mistake in the configuration is one line at start', async () => {
  await expect(startMcpApp({ files: { cmd: 'npx' } })).rejects.toThrow(
    'mcpServers is (hidden), but the MCP server "files" needs either "command" or "url"',
  );
});
