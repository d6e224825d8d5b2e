/** Calls over HTTP: what they send, what their errors say, and which of them are sent again. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LlmgineError } from '@llmgine/client';
import { expect, test } from 'vitest';
import { startApp } from '../../../tests/helpers/app.ts';
import { person } from '../../../tests/helpers/people.ts';
import { testClient } from './helpers.ts';
import { startWireServer } from './wire-server.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers one call after the other as the test says, and remembers them. */
async function answering(...answers: Answer[]) {
  const calls: {
    method: string | undefined;
    url: string | undefined;
    headers: IncomingMessage['headers'];
  }[] = [];
  const { url } = await startWireServer({
    http: (request, response) => {
      calls.push({ method: request.method, url: request.url, headers: request.headers });
      request.resume();
      request.once('end', () => answers.shift()?.(request, response));
    },
  });
  return { calls, client: testClient(url) };
}

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
const broken: Answer = (request) => request.socket.resetAndDestroy();
const silent: Answer = () => {};
const problem = (code: string, status: number, headers: Record<string, string> = {}) =>
  json(status, { code, status, detail: 'for a test', request_id: 'req_1' }, headers);

test('all resources of a session over REST', async () => {
  const { url } = await startApp();
  const client = testClient(url);
  const made = await client.sessions.create({ name: 'One', metadata: { team: 'a b' } });
  await client.sessions.create({ name: 'Two' });
  const id = made.session_id;
  expect(await client.sessions.get(id)).toMatchObject({ session_id: id, name: 'One', linked_engine: null });
  expect((await client.sessions.list({ metadata: { team: 'a b' } })).sessions).toHaveLength(1);
  const names: (string | undefined)[] = [];
  for await (const session of client.sessions.all({ limit: 1 })) names.push(session.name);
  expect(names.sort()).toEqual(['One', 'Two']);
  const linked = await client.sessions.link(id, 'ToolChatEngine');
  expect(await client.sessions.engine(id)).toMatchObject(linked);
  expect((await client.engines()).engine_types).toContain('ToolChatEngine');
  expect((await client.info()).protocol_version).toBe('1');
  const ended = await client.runs.run(id, 'prompt', { prompt: 'Hello' });
  expect(ended).toMatchObject({ status: 'completed' });
  const started = await client.runs.start(id, 'prompt', { prompt: 'Hello again' });
  expect((await client.runs.list(id)).runs.map(({ run_id }) => run_id)).toEqual([
    started.run_id,
    ended.run_id,
  ]);
  expect(await client.runs.get(id, ended.run_id)).toMatchObject({ status: 'completed' });
  expect((await client.sessions.messages(id, { limit: 1 })).next).not.toBeNull();
  const { events, cursor } = await client.sessions.events(id, { limit: 1 });
  expect(events).toHaveLength(1);
  expect((await client.sessions.events(id, { after: cursor })).events[0]?.seq).toBe(2);
  expect((await client.requests.list(id)).requests).toEqual([]);
  expect((await client.sessions.ticket(id)).ticket).not.toBe('');
  expect(await client.request('get', `/api/sessions/${id}`)).toMatchObject({ session_id: id });
  expect(await client.sessions.unlink(id)).toEqual({ engine_id: linked.engine_id });
  await client.sessions.delete(id);
  await expect(client.sessions.get(id)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND', status: 404 });
});

test('a session is forked, exported and imported', async () => {
  const { url } = await startApp();
  const client = testClient(url);
  const { session_id: id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  await client.runs.run(id, 'prompt', { prompt: 'Hello' });
  const { messages } = await client.sessions.messages(id);
  const texts = (session: { messages: typeof messages }) => session.messages.map(({ parts }) => parts);
  const fork = await client.sessions.fork(id, { name: 'Another' });
  expect(fork.forked_from.session_id).toBe(id);
  expect(texts(await client.sessions.messages(fork.session_id))).toEqual(texts({ messages }));
  const lines = await new Response(await client.sessions.export(id)).text();
  expect(lines.trim().split('\n').at(0)).toContain('"type":"session"');
  for (const body of [lines, await client.sessions.export(id)]) {
    const copy = await client.sessions.import(body);
    expect(texts(await client.sessions.messages(copy.session_id))).toEqual(texts({ messages }));
  }
});

test('an export that nobody reads yet is whole after a collection of garbage', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { client } = await answering((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/jsonl' }).end('all of it');
  });
  const lines = await client.sessions.export('a session');

  // What is collected is told to those who wait for that a few turns later.
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await nextTurn();
  }

  const chunks: Uint8Array[] = [];
  for await (const chunk of lines) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('all of it');
});

test('what admins do', async () => {
  const app = await startApp({ config: { auth: 'required', key: 'a-bootstrap-key-of-the-test' } });
  const boss = await person(app, { role: 'admin' });
  const { admin } = testClient(app.url, { token: boss.key });
  const made = await admin.keys.create({ name: 'CI', role: 'viewer' });
  expect(made.key).toContain(made.id);
  expect((await admin.keys.list()).keys.map(({ id }) => id)).toContain(made.id);
  expect(await admin.keys.change(made.id, { name: 'Web' })).toMatchObject({ name: 'Web' });
  expect(await admin.keys.get(made.id)).toMatchObject({ name: 'Web', role: 'viewer', status: 'active' });
  const next = await admin.keys.rotate(made.id, { grace: 0 });
  expect(next.id).not.toBe(made.id);
  expect(await admin.keys.revoke(next.id)).toMatchObject({ status: 'revoked' });
  expect(await admin.stop({ reason: 'a test' })).toEqual({ stopped: 0 });
  await expect
    .poll(async () => (await admin.audit({ limit: 50 })).entries.map(({ action }) => action))
    .toContain('admin.stop');
});

test('an error has the code, the status, the fields and the request by which the log knows it', async () => {
  const { url } = await startApp();
  const error = await testClient(url)
    .sessions.create({ name: '' })
    .catch((caught: unknown) => caught as LlmgineError);
  expect(error).toBeInstanceOf(LlmgineError);
  expect(error).toMatchObject({
    name: 'LlmgineError',
    code: 'VALIDATION_ERROR',
    status: 422,
    retryable: false,
    fields: [{ path: 'name', message: expect.any(String) }],
    requestId: expect.any(String),
  });
});

test('an answer that is no problem document is told by its status, one that is no JSON is INVALID_RESPONSE', async () => {
  const page: Answer = (_request, response) => void response.writeHead(502).end('<h1>Bad gateway</h1>');
  const text: Answer = (_request, response) => void response.end('<h1>Hello</h1>');
  const { client } = await answering(page, text);
  await expect(client.sessions.import('')).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    status: 502,
    retryable: true,
  });
  await expect(client.info()).rejects.toMatchObject({ code: 'INVALID_RESPONSE', status: 200 });
});

test('a call that has its effect once is sent again with the same key when its answer is lost', async () => {
  const { calls, client } = await answering(
    broken,
    problem('UNAVAILABLE', 503, { 'retry-after': '0' }),
    json(201, {}),
  );
  await client.sessions.create();
  expect(calls).toHaveLength(3);
  const keys = new Set(calls.map(({ headers }) => headers['idempotency-key']));
  expect(keys.size).toBe(1);
  expect([...keys][0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('a call that may have had its effect is not sent again', async () => {
  const { calls, client } = await answering(broken, json(201, {}));
  await expect(client.admin.keys.create({ name: 'CI' })).rejects.toMatchObject({
    code: 'NETWORK_ERROR',
    status: null,
  });
  expect(calls).toHaveLength(1);
});

test('who is asked to wait longer than anybody waits without knowing is told how long', async () => {
  const { calls, client } = await answering(problem('RATE_LIMITED', 429, { 'retry-after': '60' }));
  await expect(client.info()).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    message: 'for a test',
    requestId: 'req_1',
    retryAfterMs: 60_000,
    retryable: true,
  });
  expect(calls).toHaveLength(1);
});

test('a server that does not answer is given up after a time, or when the caller says so', async () => {
  const { client } = await answering(silent, silent, silent, silent);
  const options = { timeoutMs: 10, repeat: false };
  await expect(client.request('GET', '/api/info', options)).rejects.toMatchObject({ code: 'TIMEOUT' });
  const controller = new AbortController();
  const call = client.info({ signal: controller.signal });
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(client.info({ signal: controller.signal })).rejects.toBe(reason);
});

test('a server that is not there is a NETWORK_ERROR', async () => {
  const client = testClient('http://127.0.0.1:9');
  await expect(client.request('GET', '/api/info', { repeat: false })).rejects.toMatchObject({
    code: 'NETWORK_ERROR',
  });
});

test('headers, a path before the API, and who logs in', async () => {
  const { calls, client } = await answering(
    json(200, { csrf_token: 'c' }),
    json(200, {}),
    (_request, response) => void response.writeHead(204).end(),
  );
  const behind = testClient(`${client.url}/llm/`, { headers: { 'x-team': 'a' } });
  expect(await behind.auth.login('a token')).toEqual({ csrf_token: 'c' });
  await behind.auth.session();
  expect(await behind.auth.logout()).toBeUndefined();
  expect(calls.map(({ method, url }) => `${method} ${url}`)).toEqual([
    'POST /llm/api/auth/login',
    'GET /llm/api/auth/session',
    'POST /llm/api/auth/logout',
  ]);
  expect(calls[0]?.headers).toMatchObject({ 'x-team': 'a', 'content-type': 'application/json' });
});

test('whoever stops an answer in its middle gets the reason that they gave', async () => {
  const { client, calls } = await answering((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"sessions":');
  });
  const controller = new AbortController();
  const begun: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    setImmediate(() => controller.abort(new Error('mine')));
    return response;
  };
  const { sessions } = testClient(client.url, { fetch: begun });
  await expect(sessions.list({ signal: controller.signal })).rejects.toThrow('mine');
  expect(calls).toHaveLength(1);
});

test('a stream is sent once: what went wrong first is what is told', async () => {
  const { client, calls } = await answering(problem('UNAUTHENTICATED', 401), problem('UNAUTHENTICATED', 401));
  const lines = new Blob(['{}\n']).stream();
  const guarded = testClient(client.url, { token: () => 'old' });
  await expect(guarded.sessions.import(lines)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(calls).toHaveLength(1);
});
