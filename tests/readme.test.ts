/** Every command and every snippet of the README works, and every link and setting in it exists. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ConfigKey, configSchema, envName } from '../packages/server/src/config.ts';
import { tempDir } from './helpers/app.ts';
import { startServer } from './helpers/child-server.ts';
import { startModelServer } from './helpers/model-server.ts';
import { TestSocket } from './helpers/ws-client.ts';

const ROOT = join(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

function blocks(language: string, containing: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))]
    .map((match) => String(match[1]))
    .filter((block) => block.includes(containing));
}

/** The only block with these words. */
function block(language: string, containing: string): string {
  const found = blocks(language, containing);
  expect(found, containing).toHaveLength(1);
  return String(found[0]);
}

/** Runs a program to its end; fails unless it ends with 0. */
async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** `npm start` as the README has it, but on a free port and with its data in a folder of the test. */
async function startAsWritten(env: Record<string, string> = {}) {
  const server = await startServer({ LLMGINE_API_DATA_DIR: await tempDir(), ...env });
  return { ...server, here: (code: string) => code.replaceAll('localhost:8000', server.url.slice(7)) };
}

test('the conversation with curl', async () => {
  const { here, url } = await startAsWritten();
  const home = await tempDir();
  writeFileSync(join(home, '.curlrc'), 'fail-with-body');

  const script = here(blocks('sh', 'curl').join('\n'));
  const output = await run('bash', ['-euo', 'pipefail', '-c', script], { HOME: home });

  expect(output).toContain('"engine_type":"ToolChatEngine","status":"running"');
  expect(output).toContain('6 * 7 is 42.');
  expect(output.match(/^event: text_delta$/gm)?.length).toBeGreaterThan(0);
  expect(output).toMatch(/^event: command_result$/m);
  expect(output).toMatch(/\{"messages":\[.*"What is 6 \* 7\?".*"next":null/);
  expect(output).toMatch(/"status":"awaiting_input","request_id":"req_/);
  expect(output).toContain('"outcome":"approved"');
  expect(output).toContain('"outcome":"submitted"');
  const list = (await (await fetch(`${url}/api/sessions`)).json()) as { sessions: { session_id: string }[] };
  const session = list.sessions[0]?.session_id;
  const said = async () => (await fetch(`${url}/api/sessions/${session}/messages`)).text();
  await expect.poll(said).toMatch(/14.*Ada.*It is /);
});

test('the WebSocket client of Node', async () => {
  const { here } = await startAsWritten();
  const file = join(await tempDir(), 'chat.mjs');
  writeFileSync(file, here(block('js', 'process.stdout')));

  expect(await run(process.execPath, [file])).toContain('2 * (3 + 4) is 14.');
});

test('the WebSocket client of a browser: it comes back and has everything, once', async () => {
  const { here, url, wsUrl } = await startAsWritten();
  const created = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ engine_type: 'ToolChatEngine' }),
  });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const talker = await TestSocket.open(wsUrl(id));
  const seen: { seq: number; event_type: string }[] = [];
  const finished = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const show = (event: { seq: number; event_type: string }) => {
    seen.push(event);
    if (event.event_type !== 'run_finished') return;
    finished[seen.filter(({ event_type: type }) => type === 'run_finished').length - 1]?.resolve();
  };
  const sockets: WebSocket[] = [];
  const subscribed: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  // The browser's part: the built-in client, and timers that do not wait.
  class BrowserSocket extends WebSocket {
    constructor(address: string) {
      super(address);
      const mine = subscribed[sockets.push(this) - 1];
      this.addEventListener('message', ({ data }) => {
        if (JSON.parse(String(data)).type === 'subscribed') mine?.resolve();
      });
    }
  }
  const makeFollow = new Function(
    'WebSocket',
    'setTimeout',
    `${here(block('js', 'function follow'))}; return follow;`,
  );
  const follow = makeFollow(BrowserSocket, setImmediate) as (...args: unknown[]) => WebSocket;

  follow(id, show);
  await subscribed[0]?.promise;
  await talker.run('prompt', { prompt: 'first' });
  await finished[0]?.promise;
  sockets[0]?.close();
  await talker.run('prompt', { prompt: 'while nobody was there, or just after' });
  await finished[1]?.promise;
  await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' });
  await talker.closed;

  const events = talker.events.filter(({ event_type: type }) => type !== 'engine_linked');
  expect(seen.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq));
});

test('the library example is the tested file, and answers', async () => {
  const file = 'examples/guide/quickstart.ts';
  const command = block('sh', file).trim().split(' ');
  expect(block('ts', 'createApp')).toBe(readFileSync(join(ROOT, file), 'utf8'));
  expect(command.slice(0, 2)).toEqual(['npx', 'node']);

  const child = spawn(process.execPath, command.slice(2), {
    cwd: ROOT,
    env: {
      LLMGINE_API_HOST: '127.0.0.1',
      LLMGINE_API_PORT: '0',
      LLMGINE_API_DATABASE_URL: ':memory:',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let url = '';
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^My API on (\S+)/.exec(line)?.[1] ?? '';
    if (url) break;
  }
  child.stdout.resume();
  const created = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ engine_type: 'EchoEngine', engine_config: { loud: true } }),
  });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(`${url.replace('http', 'ws')}/api/sessions/${id}/ws`);

  expect(await socket.request('greet', { name: 'Ada' })).toMatchObject({
    type: 'greeted',
    data: { text: 'Hello, Ada' },
  });
  expect((await socket.run('prompt', { prompt: 'hello' })).result).toEqual({ text: 'HELLO' });
  expect((await socket.findEvent('text_delta')).data.payload.text).toBe('HELLO');
});

test('the lines for a real model', async () => {
  const model = await startModelServer();
  onTestFinished(() => model.close());
  const lines = block('sh', 'OPENAI_BASE_URL').trim().split('\n');
  const environment = (line: string) =>
    Object.fromEntries([...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  const [withKey, withUrl] = lines.map(environment);
  expect(lines.every((line) => line.endsWith(' npm start'))).toBe(true);

  const openai = await startAsWritten({ LLMGINE_API_MODEL: '', ...withKey });
  const local = await startAsWritten({ ...withUrl, OPENAI_BASE_URL: model.baseUrl });
  const created = await fetch(`${local.url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ engine_type: 'SinglePassEngine' }),
  });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const { result } = await (await TestSocket.open(local.wsUrl(id))).run('prompt', { prompt: 'Hello' });

  expect(await (await fetch(`${openai.url}/api/info`)).json()).toMatchObject({
    model: expect.stringMatching(/^openai:/),
  });
  expect(result.text).toBe('Hello from the model server.');
  expect(model.requests[0]?.body.model).toBe('llama3');
});

test('the way into a project is said, with what the package needs', () => {
  const { name, engines, dependencies } = JSON.parse(
    readFileSync(join(ROOT, 'packages/server/package.json'), 'utf8'),
  );
  const guide = readFileSync(join(ROOT, 'docs/guide/extending.md'), 'utf8');

  for (const page of [README, guide]) {
    expect(page).toContain(`npm install ${name} zod`);
    expect(page).toContain(`Node ${engines.node.replace('>=', '')} or newer`);
  }
  expect(guide).toContain(`Zod ${/\d+/.exec(dependencies.zod)?.[0]}`);
});

describe('what it names exists', () => {
  test.each([...README.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map((match) => String(match[1])))(
    'link to %s',
    (path) => {
      expect(existsSync(join(ROOT, path))).toBe(true);
    },
  );

  test.each(
    [...README.matchAll(/\bnpm (?:run )?(start|test|[a-z]+:[a-z]+)\b/g)].map((match) => String(match[1])),
  )('npm script %s', (name) => {
    expect(scripts).toHaveProperty([name]);
  });

  const known = new Set([
    ...(Object.keys(configSchema.shape) as ConfigKey[]).map(envName),
    'LLMGINE_API_CONFIG',
  ]);
  test.each([...new Set(README.match(/\bLLMGINE_API_[A-Z_]+\b/g))])('%s', (name) => {
    expect(known).toContain(name);
  });

  const rows = README.match(/^\| `LLMGINE_API_.*$/gm) ?? [];
  const reference = readFileSync(join(ROOT, 'docs/reference/configuration.md'), 'utf8').split('\n');
  test.each(rows)('the row %s is one of the reference', (row) => {
    expect(reference).toContain(row);
  });

  test('addresses of the server', async () => {
    const { url } = await startAsWritten();
    const paths = new Set(
      [...README.matchAll(/`(\/(?:docs|health|metrics|api|openapi|asyncapi)[\w/.]*)`/g)].map(
        (match) => match[1],
      ),
    );

    expect(paths.size).toBeGreaterThan(5);
    for (const path of paths) expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
  });
});
