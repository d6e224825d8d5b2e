import { connect } from 'node:net';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { tempDir } from '../helpers/app.ts';
import { type ChildServer, startServer } from '../helpers/child-server.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { hmacToken, withDefaults } from '../helpers/tokens.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const KEY = 'canary-bootstrap-key-0123456789';
const JWT_SECRET = 'canary-jwt-secret-0123456789-0123456789';
const PROVIDER_KEY = 'canary-provider-key-0123456789';
const MCP_SECRET = 'canary-mcp-secret-0123456789';
const WRONG = 'canary-wrong-key-0123456789';
const CANARIES = [KEY, JWT_SECRET, PROVIDER_KEY, MCP_SECRET, WRONG];
const JSON_TYPE = { 'content-type': 'application/json' };

/** Asks with whatever a client might do with credentials, right and wrong, where they belong and where they do not. */
async function exercise({ url, wsUrl }: ChildServer, token: string): Promise<string[]> {
  const bodies: string[] = [];
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, init);
    const text = await answer.text();
    bodies.push(text);
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : null };
  };
  const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });
  const basic = { authorization: `Basic ${Buffer.from(`me:${KEY}`).toString('base64')}` };
  const post = (body: object) => ({
    method: 'POST',
    headers: { ...bearer(KEY), ...JSON_TYPE },
    body: JSON.stringify(body),
  });
  const { body: session } = await ask('/api/sessions', post({ engine_type: 'ToolChatEngine' }));
  const path = `/api/sessions/${session.session_id}`;
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };

  for (const credential of [KEY, WRONG, token, `${token}x`]) {
    await ask('/api/info', { headers: bearer(credential) });
    await ask('/api/info', { headers: { 'x-api-key': credential } });
    await ask('/nope', { headers: { ...bearer(credential), cookie: `session=${credential}` } });
    expect((await ask(`/api/info?token=${credential}&api_key=${credential}`)).status).toBe(401);
    expect((await ask(`${path}/events?access_token=${credential}`)).status).toBe(401);
    const subprotocols = ['llmgine.v1', `llmgine.bearer.${credential}`];
    for (const [address, protocols, headers] of [
      [`${wsUrl(session.session_id)}?token=${credential}`, [], {}],
      [wsUrl(session.session_id), subprotocols, {}],
      [wsUrl(session.session_id), [], bearer(credential)],
    ] as const) {
      const ws = new WebSocket(address, [...protocols], { headers });
      ws.on('error', () => {});
      ws.on('open', () => ws.close());
      await new Promise((resolve) => ws.once('close', resolve));
    }
  }
  await ask('/docs', { headers: basic });
  await ask('/docs', {
    headers: { authorization: `Basic ${Buffer.from(`me:${WRONG}`).toString('base64')}` },
  });
  // The provider repeats the key that it was given in its refusal.
  await ask(`${path}/commands`, post(prompt));
  await ask(`${path}/engine`, { ...post({ engine_type: 'ToolChatEngine' }), method: 'PUT' });
  const stream = await TestStream.open(`${url}${path}/events`, { headers: bearer(KEY) });
  await ask(`${path}/events`, post({ event_type: 'custom:a', payload: {} }));
  await stream.close();
  const socket = await TestSocket.open(wsUrl(session.session_id), { headers: bearer(KEY) });
  bodies.push(JSON.stringify(await socket.request('authenticate', { token: WRONG })));
  bodies.push(JSON.stringify(await socket.request('history')));
  socket.send(`{"broken": "${WRONG}"`);
  await socket.request('ping');
  await socket.close();
  await broken(url, `GET /api/info HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer ${WRONG}\r\n\r\n`);
  await broken(
    url,
    `GET /api/info HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\nX-API-Key: ${WRONG}\r\n\r\n`,
  );
  return bodies;
}

async function broken(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.resume();
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
}

test('check 20 (ASVS 14.2.1): no credential is taken from an address, and none is in a log line or an answer', async () => {
  const models = await startTestModels();
  models.respond = () => ({ status: 401, error: { message: `Incorrect API key provided: ${PROVIDER_KEY}` } });
  const server = await startServer({
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_LOG_LEVEL: 'trace',
    LLMGINE_API_DEBUG: 'true',
    LLMGINE_API_KEY: KEY,
    LLMGINE_API_JWT_SECRET: JWT_SECRET,
    LLMGINE_API_MODEL: 'openai-compatible:x',
    LLMGINE_API_MODEL_RETRIES: '0',
    OPENAI_API_KEY: PROVIDER_KEY,
    OPENAI_BASE_URL: models.baseUrl,
    LLMGINE_API_MCP_SERVERS: JSON.stringify({
      x: {
        command: process.execPath,
        args: ['-e', 'console.error(process.env.SECRET)'],
        env: { SECRET: MCP_SECRET },
      },
    }),
  });
  const token = hmacToken({ alg: 'HS256', typ: 'JWT' }, withDefaults({}), JWT_SECRET);

  const bodies = await exercise(server, token);
  await server.kill('SIGTERM');

  expect(models.requests[0]?.headers.authorization).toBe(`Bearer ${PROVIDER_KEY}`);
  expect(server.lines.length).toBeGreaterThan(50);
  for (const canary of [...CANARIES, token, token.split('.')[2] ?? '']) {
    expect(server.lines.filter((line) => line.includes(canary))).toEqual([]);
    expect(bodies.filter((body) => body.includes(canary))).toEqual([]);
  }
});
