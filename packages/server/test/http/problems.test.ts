import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { expectProblem } from './expect-problem.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

it.each([
  ['an unknown address', 'GET', '/nope', {}, undefined, 'NOT_FOUND'],
  [
    'an unknown address with a body of another type',
    'POST',
    '/nope',
    { 'content-type': 'text/xml' },
    '<a/>',
    'NOT_FOUND',
  ],
  ['broken percent encoding', 'GET', '/api/sessions/%zz', {}, undefined, 'NOT_FOUND'],
  ['a very long parameter', 'GET', `/api/sessions/${'a'.repeat(500)}`, {}, undefined, 'NOT_FOUND'],
  ['a wrong method', 'PATCH', '/api/sessions', {}, undefined, 'METHOD_NOT_ALLOWED'],
  ['a session that is not there', 'GET', `/api/sessions/${UNKNOWN}`, {}, undefined, 'SESSION_NOT_FOUND'],
  ['a session id that is no UUID', 'GET', '/api/sessions/abc', {}, undefined, 'SESSION_NOT_FOUND'],
  ['a page size of 0', 'GET', '/api/sessions?limit=0', {}, undefined, 'VALIDATION_ERROR'],
  ['a page size of 101', 'GET', '/api/sessions?limit=101', {}, undefined, 'VALIDATION_ERROR'],
  ['two page sizes', 'GET', '/api/sessions?limit=1&limit=2', {}, undefined, 'VALIDATION_ERROR'],
  ['an unknown status', 'GET', '/api/sessions?status=dead', {}, undefined, 'VALIDATION_ERROR'],
  ['a cursor of another list', 'GET', '/api/sessions?cursor=cnVuczox', {}, undefined, 'INVALID_CURSOR'],
  ['broken JSON', 'POST', '/api/sessions', JSON_TYPE, '{"name":', 'INVALID_JSON'],
  ['a body that is no object', 'POST', '/api/sessions', JSON_TYPE, '[]', 'VALIDATION_ERROR'],
  ['a wrong field', 'POST', '/api/sessions', JSON_TYPE, '{"name":7}', 'VALIDATION_ERROR'],
  ['plain text', 'POST', '/api/sessions', { 'content-type': 'text/plain' }, '{}', 'UNSUPPORTED_MEDIA_TYPE'],
  [
    'a compressed body',
    'POST',
    '/api/sessions',
    { ...JSON_TYPE, 'content-encoding': 'gzip' },
    '{}',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'UTF-16',
    'POST',
    '/api/sessions',
    { 'content-type': 'application/json; charset="utf-16"' },
    '{}',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'a form',
    'POST',
    '/api/sessions',
    { 'content-type': 'multipart/form-data; boundary=x' },
    '--x',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'a malformed media type',
    'POST',
    '/api/sessions',
    { 'content-type': 'application/' },
    '{}',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['an unknown engine', 'POST', '/api/sessions', JSON_TYPE, '{"engine_type":"Nope"}', 'INVALID_ENGINE_TYPE'],
] as const)('answers %s with a problem', async (_what, method, path, headers, body, code) => {
  const { url } = await startApp();

  const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) });

  expectProblem({ status: response.status, headers: response.headers, body: await response.json() }, code);
});

it('explains the address of a WebSocket to whoever opens it in another way', async () => {
  const { url, createSession } = await startApp();

  const answer = await call('GET', `${url}/api/sessions/${await createSession()}/ws`);

  expectProblem(answer, 'VALIDATION_ERROR', 426);
  expect(answer.headers.get('upgrade')).toBe('websocket');
  expect(answer.body.detail).toContain('ws://');
});

it('names every field that is wrong', async () => {
  const { url } = await startApp();

  const { body } = await call('POST', `${url}/api/sessions`, { name: '', metadata: 'x', engine_type: 5 });

  expect(body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
    'engine_type',
    'metadata',
    'name',
  ]);
});

it('says in Allow what an address answers, and answers OPTIONS with it', async () => {
  const { url } = await startApp();

  const wrong = await call('DELETE', `${url}/api/sessions/`);
  const options = await call('OPTIONS', `${url}/api/sessions`);

  expectProblem(wrong, 'METHOD_NOT_ALLOWED');
  expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
  expect(options.status).toBe(204);
  expect(options.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
  expectProblem(await call('OPTIONS', `${url}/nope`), 'NOT_FOUND');
});

it('takes a body up to the limit and no byte more', async () => {
  const { url } = await startApp({ config: { maxBodySize: 2048 } });
  const bodyOf = (size: number) => JSON.stringify({ name: 'a' }).padEnd(size, ' ');
  const post = async (body: string) => {
    const response = await fetch(`${url}/api/sessions`, { method: 'POST', headers: JSON_TYPE, body });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };

  expect((await post(bodyOf(2048))).status).toBe(201);
  expectProblem(await post(bodyOf(2049)), 'MESSAGE_TOO_LARGE');
});

it('answers HEAD like GET, without a body', async () => {
  const { url } = await startApp();

  for (const path of ['/health', '/api/sessions', '/nope', '/api/sessions/abc']) {
    const get = await fetch(url + path);
    const head = await fetch(url + path, { method: 'HEAD' });

    expect(head.status).toBe(get.status);
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    expect(await head.text()).toBe('');
  }
});

it('carries a request id, and forbids caches and guessing on every answer', async () => {
  const { url } = await startApp();

  for (const path of ['/', '/health', '/nope', '/api/sessions', '/api/sessions/%zz']) {
    const { headers, body } = await call('GET', url + path, undefined, { 'x-request-id': 'mine' });
    expect(headers.get('x-request-id')).toMatch(/^req_[\w-]{16}$/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    if ('request_id' in body) expect(body.request_id).toBe(headers.get('x-request-id'));
  }
});

it('drops fields that it does not know, and keys that would reach a prototype', async () => {
  const { url } = await startApp();
  const body =
    '{"tenant_id":"x","owner_id":"y","metadata":{"a":1,"__proto__":{"b":2}},"__proto__":{"name":"z"}}';

  const created = await fetch(`${url}/api/sessions`, { method: 'POST', headers: JSON_TYPE, body });
  const { session_id } = (await created.json()) as { session_id: string };
  const session = await call('GET', `${url}/api/sessions/${session_id}`);

  expect(session.body).toMatchObject({ session_id, metadata: { a: 1 } });
  expect(Object.keys(session.body.metadata)).toEqual(['a']);
  expect(session.body).not.toHaveProperty('name');
});

it.each([
  ['nothing', {}, undefined],
  ['nothing, declared as JSON', JSON_TYPE, undefined],
  ['an empty object', JSON_TYPE, '{}'],
  ['JSON with a charset', { 'content-type': 'application/json; charset=utf-8' }, '{"name":"a"}'],
  ['JSON with its charset in quotes', { 'content-type': 'application/json;Charset="UTF-8"' }, '{"name":"a"}'],
  ['JSON that says that it is not packed', { ...JSON_TYPE, 'content-encoding': 'identity' }, '{"name":"a"}'],
  ['nothing, declared as packed', { ...JSON_TYPE, 'content-encoding': 'gzip' }, undefined],
] as const)('creates a session from %s', async (_what, headers, body) => {
  const { url } = await startApp();

  const response = await fetch(`${url}/api/sessions`, { method: 'POST', headers, ...(body ? { body } : {}) });
  const answer = (await response.json()) as { session_id: string; status: string };

  expect(response.status).toBe(201);
  expect(answer.status).toBe('success');
  expect(response.headers.get('location')).toBe(`/api/sessions/${answer.session_id}`);
});

it('check 39: hides what it did not expect, and shows it in debug mode without secrets', async () => {
  const key = 'a-secret-of-sixteen';
  const headers = { authorization: `Bearer ${key}` };
  const answers = [];
  for (const debug of [false, true]) {
    const { app, url } = await startApp({ config: { debug, key } });
    app.services.sessions.list = () => Promise.reject(new Error(`disk on fire at ${key}`));
    answers.push(await call('GET', `${url}/api/sessions`, undefined, headers));
  }

  for (const answer of answers) expectProblem(answer, 'INTERNAL_ERROR');
  expect(answers[0]?.body).not.toHaveProperty('details');
  expect(answers[1]?.body.details).toBe('Error: disk on fire at [hidden]');
  expect(JSON.stringify(answers.map(({ body }) => body))).not.toContain('.ts:');
});
