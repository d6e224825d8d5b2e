/** Debug mode: details in errors and logs, and no credential in either. */
import { defineMessage, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { APIConfig } from '../../src/config.ts';
import { createLogger } from '../../src/observability/logging.ts';

const KEY = 'bootstrap-key-of-"quotes"\\';
const PROVIDER_KEY = 'sk-provider-key';
const authorization = `Bearer ${KEY}`;

/** Custom code of every kind that fails with both credentials in its text. */
const failure = () => new Error(`the disk is on fire, ${KEY}, ${PROVIDER_KEY}`);
const apiFactory = new ExtensibleAPIFactory()
  .registerMessage(defineMessage('fail', z.object({})), () => {
    throw failure();
  })
  .registerCustomRouter('/api/fail', (app) => {
    app.get('/', () => {
      throw failure();
    });
  })
  .registerEngine({
    type: 'FailingEngine',
    description: 'Fails',
    config: z.object({}),
    create: () => ({
      run: async () => {
        throw failure();
      },
    }),
  });

async function answers(debug: boolean) {
  const { url, wsUrl } = await startApp({
    apiFactory,
    config: { debug, key: KEY },
    env: { OPENAI_API_KEY: PROVIDER_KEY },
  });
  const headers = { authorization, 'content-type': 'application/json' };
  const body = '{"engine_type": "FailingEngine"}';
  const created = await fetch(`${url}/api/sessions`, { method: 'POST', headers, body });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(wsUrl(id), { headers: { authorization } });
  return [
    (await socket.request('fail')).data,
    await (await fetch(`${url}/api/fail`, { headers })).json(),
    await socket.run('prompt', { prompt: 'x' }),
  ].map((answer) => JSON.stringify(answer));
}

test('without it, nothing of what custom code threw is told', async () => {
  for (const answer of await answers(false)) expect(answer).not.toContain('on fire');
});

test('with it, what custom code threw is told without credentials and stack', async () => {
  for (const answer of await answers(true)) {
    expect(answer).toContain('the disk is on fire, [hidden], [hidden]');
    expect(answer).not.toContain('    at ');
  }
});

test('a log line holds no credential, whatever was thrown', () => {
  const lines: string[] = [];
  const config = new APIConfig({ key: KEY }, { env: { OPENAI_API_KEY: PROVIDER_KEY } });
  const stream = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ ...config.values, redact: (line) => config.redact(line) }, stream);

  logger.child({ session_id: 's' }).error({ err: failure() }, `failed with ${PROVIDER_KEY}`);

  expect(JSON.parse(lines[0] as string)).toMatchObject({
    session_id: 's',
    msg: 'failed with [hidden]',
    err: { message: 'the disk is on fire, [hidden], [hidden]' },
  });
  expect(lines[0]).not.toContain('bootstrap-key');
});

test('a log line stays JSON with all its fields, whatever stands after an address', () => {
  const lines: string[] = [];
  const config = new APIConfig({}, { env: {} });
  const stream = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ ...config.values, redact: (line) => config.redact(line) }, stream);
  const quote = JSON.stringify({ base: 'http://localhost', user: 'a@b.c' });

  logger.info({
    base: 'http://localhost:3000',
    user: { email: 'a@b.c' },
    quote,
    url: 'http://me:hunter2@host',
  });

  expect(JSON.parse(lines[0] as string)).toMatchObject({
    base: 'http://localhost:3000',
    user: { email: 'a@b.c' },
    quote,
    url: 'http://[hidden]@host',
  });
});

test('a whole server at the lowest log level writes no credential', async () => {
  const server = await startServer({
    LLMGINE_API_DEBUG: 'true',
    LLMGINE_API_LOG_LEVEL: 'trace',
    LLMGINE_API_KEY: KEY,
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:nothing',
    OPENAI_API_KEY: PROVIDER_KEY,
    OPENAI_BASE_URL: 'http://me:hunter2@127.0.0.1:9/v1',
  });
  const headers = { authorization, 'content-type': 'application/json' };
  const call = (path: string, body?: object) =>
    fetch(server.url + path, { headers, ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}) });
  const created = await call('/api/sessions', { engine_type: 'SinglePassEngine' });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(server.wsUrl(id), {
    headers: { 'x-api-key': KEY },
  });

  const run = await socket.run('prompt', { prompt: 'hello' });
  const wrong = await fetch(`${server.url}/api/sessions`, {
    headers: { authorization: `${authorization}x` },
  });
  await server.kill('SIGTERM');

  expect(run.error.code).toBe('MODEL_ERROR');
  expect(wrong.status).toBe(401);
  const written = [...server.lines, JSON.stringify(socket.frames), await wrong.text()].join('\n');
  expect(written).toContain('"level":"debug"');
  for (const secret of ['bootstrap-key', PROVIDER_KEY, 'hunter2']) expect(written).not.toContain(secret);
});
