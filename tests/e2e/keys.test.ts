/** API keys over the wire: who makes them, who gets in with them, and how they end. */
import { describe, expect, test, vi } from 'vitest';
import { makeKey } from '../../packages/server/src/security/keys/format.ts';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { person } from '../helpers/people.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { type Answer, call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
/** The part of a key that is secret. */
const secretOf = (key: string) => key.slice(-28);

/** What an admin on the same machine asks for. */
function admin({ url }: Pick<TestApp, 'url'>) {
  return (method: string, path: string, body?: unknown) => call(method, `${url}/api/admin/keys${path}`, body);
}

function statusWith(url: string, key: string, method = 'GET'): Promise<number> {
  return call(method, `${url}/api/sessions`, undefined, bearer(key)).then(({ status }) => status);
}

describe.each(STORAGES)('on %s', (_name, makeData) => {
  test('a key is made, seen, changed, rotated and revoked over REST', async () => {
    const app = await startApp({ config: await makeData() });
    const keys = admin(app);

    const created = await keys('POST', '', { name: 'CI', role: 'user', expires_at: '2100-01-01T00:00:00Z' });
    const { key, ...view } = created.body;
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(`/api/admin/keys/${view.id}`);
    expect(created.headers.get('cache-control')).toContain('no-store');
    expect(await statusWith(app.url, key, 'POST')).toBe(201);
    expect(await statusWith(app.url, key)).toBe(200);

    const changed = await keys('PATCH', `/${view.id}`, { role: 'viewer' });
    expect(changed.body).toMatchObject({
      id: view.id,
      role: 'viewer',
      expires_at: '2100-01-01T00:00:00.000Z',
    });
    expect(await statusWith(app.url, key, 'POST')).toBe(403);

    const rotated = await keys('POST', `/${view.id}/rotate`);
    expect(rotated.status).toBe(201);
    expect(rotated.body).toMatchObject({ principal_id: view.principal_id, role: 'viewer' });
    expect(await statusWith(app.url, key)).toBe(200);
    expect(await statusWith(app.url, rotated.body.key)).toBe(200);

    const revoked = await keys('DELETE', `/${view.id}`);
    expect(revoked.body).toMatchObject({ id: view.id, status: 'revoked', successor_id: rotated.body.id });
    expect(await statusWith(app.url, key)).toBe(401);
    expect(await statusWith(app.url, rotated.body.key)).toBe(200);

    const first = await keys('GET', '?limit=1');
    const second = await keys('GET', `?limit=1&cursor=${first.body.next}`);
    expect([first, second].map(({ body }) => body.keys[0].id)).toEqual([rotated.body.id, view.id]);
    expect(second.body.next).toBeNull();
    expect((await keys('GET', `/${view.id}`)).body).toEqual(second.body.keys[0]);
  });

  test('the keys of one principal see the same sessions, and no others', async () => {
    const app = await startApp({ config: await makeData() });
    const ann = await person(app, { principal_id: 'ann' });
    const again = await person(app, { principal_id: 'ann', role: 'viewer' });
    const namesake = await person(app, { principal_id: 'ann', tenant_id: 'other' });
    const sessionId = await ann.createSession();

    const seen = async (who: typeof ann) => (await who.call('GET', `/api/sessions/${sessionId}`)).status;
    expect([await seen(ann), await seen(again), await seen(namesake)]).toEqual([200, 200, 404]);
  });

  test('a use is on record, without a write for each request', async () => {
    const app = await startApp({ config: await makeData() });
    const { storage } = app.app.services;
    const used = vi.spyOn(storage.keys, 'used');
    const ann = await person(app);
    const before = Date.now();

    for (let count = 0; count < 20; count++) await ann.call('GET', '/api/sessions');
    const lastUsed = () => admin(app)('GET', `/${ann.keyId}`).then(({ body }) => body.last_used_at);
    await vi.waitUntil(async () => (await lastUsed()) !== null, 10_000);

    expect(Date.parse(await lastUsed())).toBeGreaterThanOrEqual(before);
    expect(used).toHaveBeenCalledTimes(1);
  });

  test('what is done with keys is on record, and no key is (check 37)', async () => {
    const app = await startApp({ config: await makeData() });
    const keys = admin(app);
    const { body } = await keys('POST', '', { name: 'CI' });
    await keys('PATCH', `/${body.id}`, { name: 'CI 2' });
    await keys('PATCH', `/${body.id}`, { role: 'viewer' });
    const rotated = (await keys('POST', `/${body.id}/rotate`, { grace: 60 })).body;
    await keys('DELETE', `/${rotated.id}`);

    const log = await call('GET', `${app.url}/api/admin/audit`);

    const text = JSON.stringify(log.body);
    for (const action of ['key.created', 'key.changed', 'role.changed', 'key.rotated', 'key.revoked']) {
      expect(text.split(`"${action}"`)).toHaveLength(2);
    }
    expect(text).toContain(body.id);
    for (const { key } of [body, rotated]) expect(text).not.toContain(secretOf(key));
  });
});

test('check 3: what one process revokes, another one on the same database refuses within a second', async () => {
  const config = { databaseUrl: (await testDatabase()).url };
  const [one, two] = [await startApp({ config }), await startApp({ config })];
  const ann = await person(one);
  const sessionId = await ann.createSession();
  const socket = await TestSocket.open(two.wsUrl(sessionId), { headers: ann.headers });
  expect(await statusWith(two.url, ann.key)).toBe(200);

  await admin(one)('DELETE', `/${ann.keyId}`);
  const revoked = performance.now();
  let askedAt: number;
  let status: number;
  do {
    askedAt = performance.now();
    status = await statusWith(two.url, ann.key);
    // What was asked for later than a second after the end must not be answered.
    expect(status === 200 && askedAt - revoked > 1000).toBe(false);
  } while (status === 200);

  expect(status).toBe(401);
  await socket.closed;
});

describe('a caller on the same machine', () => {
  test('gets in without a credential, whatever keys there are', async () => {
    const app = await startApp();
    await person(app);

    expect((await call('GET', `${app.url}/api/sessions`)).status).toBe(200);
  });

  test.each([
    ['another key', () => makeKey().key],
    ['garbage', () => 'llmgine_key_garbage'],
    ['nothing at all', () => ''],
  ])('is refused with %s: an offered credential counts, and nothing else', async (_what, make) => {
    const app = await startApp();
    const sessionId = await app.createSession();
    const offered = make();

    for (const headers of [bearer(offered), { 'x-api-key': offered }]) {
      expect((await call('GET', `${app.url}/api/sessions`, undefined, headers)).status).toBe(401);
      await expect(TestSocket.open(app.wsUrl(sessionId), { headers })).rejects.toThrow('401');
    }
  });

  test('is refused with a key that has ended', async () => {
    const app = await startApp();
    const [revoked, expired] = [await person(app), await person(app)];
    const { service } = app.app.services.keys;
    await service.revoke(OPERATOR, revoked.keyId);
    await service.rotate(OPERATOR, expired.keyId, { grace: 0 });

    expect(await statusWith(app.url, revoked.key)).toBe(401);
    expect(await statusWith(app.url, expired.key)).toBe(401);
  });
});

describe('admins', () => {
  test('of a tenant manage its keys, and cannot make or reach others', async () => {
    const app = await startApp();
    const boss = await person(app, { role: 'admin', tenant_id: 'acme' });
    const other = await person(app, { tenant_id: 'other' });
    const path = `/api/admin/keys/${other.keyId}`;

    const mine = await boss.call('POST', '/api/admin/keys', { name: 'mine', role: 'admin' });
    expect(mine.body).toMatchObject({ tenant_id: 'acme', role: 'admin' });
    const foreign = await boss.call('POST', '/api/admin/keys', { name: 'x', tenant_id: 'default' });
    expect([foreign.status, foreign.body.code]).toEqual([403, 'FORBIDDEN']);
    const listed = await boss.call('GET', '/api/admin/keys');
    expect(listed.body.keys.map(({ id }: { id: string }) => id)).toEqual([mine.body.id, boss.keyId]);
    for (const answer of [
      await boss.call('GET', path),
      await boss.call('PATCH', path, { name: 'x' }),
      await boss.call('DELETE', path),
      await boss.call('POST', `${path}/rotate`),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([404, 'NOT_FOUND']);
    }
    expect(await statusWith(app.url, other.key)).toBe(200);
  });

  test('is what users and viewers are not', async () => {
    const app = await startApp();
    for (const role of ['user', 'viewer'] as const) {
      const someone = await person(app, { role });
      const path = `/api/admin/keys/${someone.keyId}`;
      for (const answer of [
        await someone.call('POST', '/api/admin/keys', { name: 'x', role: 'viewer' }),
        await someone.call('GET', '/api/admin/keys'),
        await someone.call('PATCH', path, { role: 'admin' }),
        await someone.call('POST', `${path}/rotate`),
        await someone.call('DELETE', path),
      ]) {
        expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
      }
    }
  });

  test('are told what is wrong with what they ask for', async () => {
    const keys = admin(await startApp());

    for (const body of [
      undefined,
      {},
      { name: 'x', role: 'emperor' },
      { name: 'a\nb' },
      { name: 'x', scopes: [] },
    ]) {
      expect((await keys('POST', '', body)).body.code).toBe('VALIDATION_ERROR');
    }
    expect((await keys('GET', '?cursor=x')).body.code).toBe('INVALID_CURSOR');
    expect((await keys('GET', '/key_unknown')).body.code).toBe('NOT_FOUND');
  });

  test('get every key once: not even an idempotency key brings it back', async () => {
    const { url } = await startApp();
    const create = () =>
      call('POST', `${url}/api/admin/keys`, { name: 'CI' }, { 'idempotency-key': 'the same' });

    const [one, two] = [await create(), await create()];

    expect(one.body.key).not.toBe(two.body.key);
  });
});

test('check 20: no key is in a log, in an error or in an answer but the one that hands it out', async () => {
  const server = await startServer({
    LLMGINE_API_DATABASE_URL: ':memory:',
    LLMGINE_API_DEBUG: 'true',
    LLMGINE_API_LOG_LEVEL: 'trace',
  });
  const made = await call('POST', `${server.url}/api/admin/keys`, { name: 'CI', role: 'admin' });
  const { key, id } = made.body;
  const other = makeKey().key;
  const ask = async (offered: string, path: string, method = 'GET', body?: unknown) =>
    call(method, `${server.url}${path}`, body, bearer(offered));
  const session = (await ask(key, '/api/sessions', 'POST')).body.session_id;

  const answers: Answer[] = [];
  for (const offered of [key, other]) {
    answers.push(await ask(offered, '/api/sessions'));
    answers.push(await ask(offered, '/nowhere'));
    answers.push(await ask(offered, '/api/sessions', 'DELETE'));
    answers.push(await ask(offered, '/api/admin/keys', 'POST', { name: 5 }));
    answers.push(await ask(offered, `/api/admin/keys/${id}`));
    answers.push(await ask(offered, '/api/admin/audit'));
    answers.push(await call('GET', `${server.url}/api/sessions`, undefined, { authorization: offered }));
    for (const protocols of [['llmgine.v1', `llmgine.bearer.${offered}`]]) {
      await TestSocket.open(server.wsUrl(session), { protocols }).then(
        (socket) => socket.close(),
        () => {},
      );
    }
    // Where it does not belong, which is where people put it all the same.
    await ask(key, `/api/sessions?api_key=${offered}`);
    await ask(key, `/api/sessions/${offered}`);
    await ask(key, `/api/admin/keys/${offered}`, 'DELETE');
    await ask(key, '/api/sessions', 'POST', { engine_type: offered });
  }
  await server.kill('SIGTERM');

  const said = answers.map(({ body }) => JSON.stringify(body));
  for (const text of [...server.lines, ...said]) {
    expect(text).not.toContain(secretOf(key));
    expect(text).not.toContain(secretOf(other));
  }
  expect(server.lines.join('\n')).toContain(id);
});
