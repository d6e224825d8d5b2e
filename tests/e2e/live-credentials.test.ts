/** Credentials that change or end while sockets, streams and runs live on them. */
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { startApp, type TestApp, tempDir } from '../helpers/app.ts';
import { type Person, person } from '../helpers/people.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const SOON_MS = 300;

/** An application whose runs say something and then wait at the gate. */
async function start(config: Parameters<typeof startApp>[0] = {}) {
  const gate = testGate();
  const app = await startApp({
    apiFactory: testEngine(async (context) => {
      say(context, 'message', 'first');
      await gate.pass();
      context.signal.throwIfAborted();
      return 'done';
    }),
    ...config,
  });
  const ann = await person(app);
  const sessionId = await ann.createSession({ engine_type: 'TestEngine' });
  return { app, ann, sessionId, gate };
}

/** Another key of the same principal. */
function again(app: TestApp, { principalId }: Person): Promise<Person> {
  return person(app, { principal_id: principalId });
}

/** As another process does it: nothing here is told. */
async function revokeElsewhere({ app }: TestApp, { keyId }: Person): Promise<void> {
  await app.services.storage.keys.revoke(keyId, Date.now());
}

/** Waits for the end of a run of this principal. */
async function endOf({ app }: TestApp, { principalId }: Person, sessionId: string, runId: string) {
  const key = { tenantId: 'default', ownerId: principalId, sessionId };
  return (await app.services.runs.result(key, runId)).status;
}

const command = (someone: Person, sessionId: string) =>
  someone.call(
    'POST',
    `/api/sessions/${sessionId}/commands`,
    { command: 'act' },
    { prefer: 'respond-async' },
  );

describe('a credential that expires', () => {
  test('check 5: closes its sockets with 4001 and ends its streams at that moment, and not those of others', async () => {
    const { app, ann, sessionId } = await start();
    const other = await again(app, ann);
    const [socket, stays] = [await ann.connect(sessionId), await other.connect(sessionId)];
    const stream = await ann.follow(sessionId);

    const at = Date.now() + SOON_MS;
    await app.app.services.keys.service.change(OPERATOR, ann.keyId, {
      expires_at: new Date(at).toISOString(),
    });

    expect((await socket.closed).code).toBe(4001);
    expect(Date.now()).toBeGreaterThanOrEqual(at);
    await stream.ended;
    expect(stream.events.map(({ event, data }) => [event, data.code])).toEqual([
      ['error', 'UNAUTHENTICATED'],
    ]);
    expect((await stays.request('ping')).type).toBe('pong');
  });

  test('check 5: as a token, is replaced in time, or closes the socket', async () => {
    const secret = 'a-secret-of-32-characters-or-more';
    const app = await startApp({ config: { jwtSecret: secret, jwtLeeway: 0 } });
    const token = (seconds: number) =>
      new SignJWT({ role: 'user' })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ann')
        .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
        .sign(new TextEncoder().encode(secret));
    const headers = { authorization: `Bearer ${await token(3)}` };
    const { body } = await call('POST', `${app.url}/api/sessions`, undefined, headers);
    const open = () => TestSocket.open(app.wsUrl(body.session_id), { headers });
    const [ends, stays] = [await open(), await open()];

    const { type, data } = await stays.request('authenticate', { token: await token(3600) });

    expect([type, data.role]).toEqual(['authenticated', 'user']);
    expect((await ends.closed).code).toBe(4001);
    expect((await stays.request('event', { event_type: 'custom:note' })).type).toBe('event_published');
  });

  test('ends no run that it has started', async () => {
    const { app, ann, sessionId, gate } = await start();
    const socket = await ann.connect(sessionId);
    const accepted = await socket.request('command', { command: 'act' });
    await gate.reached;

    await app.app.services.keys.service.change(OPERATOR, ann.keyId, {
      expires_at: new Date(Date.now() + SOON_MS).toISOString(),
    });
    await socket.closed;
    gate.open();

    expect(await endOf(app, ann, sessionId, accepted.data.run_id)).toBe('completed');
  });
});

describe.each(STORAGES)('check 3 and 4: a key that is revoked, with %s,', (_name, makeConfig) => {
  test.each([
    ['here', (app: TestApp, { keyId }: Person) => app.app.services.keys.service.revoke(OPERATOR, keyId)],
    ['by another process', revokeElsewhere],
  ] as const)('%s, ends its sockets, streams and runs', async (_where, revoke) => {
    const { app, ann, sessionId, gate } = await start({ config: await makeConfig() });
    const other = await again(app, ann);
    const stays = await other.connect(sessionId);
    const socket = await ann.connect(sessionId);
    const stream = await ann.follow(sessionId);
    const accepted = await socket.request('command', { command: 'act' });
    await socket.findEvent('text_delta');
    await gate.reached;

    await revoke(app, ann);

    expect((await socket.closed).code).toBe(4010);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'error', data: { code: 'UNAUTHENTICATED' } });
    expect(await endOf(app, ann, sessionId, accepted.data.run_id)).toBe('cancelled');
    expect((await stays.request('ping')).type).toBe('pong');
    expect((await ann.call('GET', '/api/sessions')).status).toBe(401);
    gate.open();
  });
});

test('check 4: a run without a connection ends with the key that started it; those of others go on', async () => {
  const { app, ann, sessionId, gate } = await start();
  const bob = await person(app);
  const theirs = await bob.createSession({ engine_type: 'TestEngine' });
  const runId = (await command(ann, sessionId)).body.run_id as string;
  const theirRun = (await command(bob, theirs)).body.run_id as string;
  await gate.reached;

  await revokeElsewhere(app, ann);

  expect(await endOf(app, ann, sessionId, runId)).toBe('cancelled');
  gate.open();
  expect(await endOf(app, bob, theirs, theirRun)).toBe('completed');
});

test('check 3: a key that one process revokes ends the sockets of another', async () => {
  const config = { databaseUrl: (await testDatabase()).url };
  const { ann, sessionId } = await start({ config });
  const other = await startApp({ config });
  const socket = await ann.connect(sessionId);

  await other.app.services.keys.service.revoke(OPERATOR, ann.keyId);

  expect((await socket.closed).code).toBe(4010);
  expect((await ann.call('GET', '/api/sessions')).status).toBe(401);
});

describe('check 6: a key that may do less', () => {
  test('goes on showing the run that it may not give a command to any more', async () => {
    const { app, ann, sessionId, gate } = await start();
    const socket = await ann.connect(sessionId);
    const stream = await ann.follow(sessionId);
    const accepted = await socket.request('command', { command: 'act' });
    await gate.reached;

    await app.app.services.keys.service.change(OPERATOR, ann.keyId, { role: 'viewer' });
    const event = { event_type: 'custom:note' };
    while ((await socket.request('event', event)).type !== 'error');
    gate.open();

    expect((await socket.findType('command_result')).data.status).toBe('completed');
    await stream.findEvent('run_finished', accepted.data.run_id);
    expect((await socket.request('command', { command: 'act' })).data.code).toBe('FORBIDDEN');
  });

  test('and not read any more, is shown nothing more; the run goes on', async () => {
    const { app, ann, sessionId, gate } = await start();
    const socket = await ann.connect(sessionId);
    const stream = await ann.follow(sessionId);
    const accepted = await socket.request('command', { command: 'act' });
    await gate.reached;

    await app.app.services.keys.service.change(OPERATOR, ann.keyId, { scopes: ['runs:write'] });

    expect((await socket.closed).code).toBe(4003);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'error', data: { code: 'FORBIDDEN' } });
    gate.open();
    expect(await endOf(app, ann, sessionId, accepted.data.run_id)).toBe('completed');
  });
});

describe('authenticate', () => {
  test('puts another key of the same principal in the place of the first', async () => {
    const { app, ann, sessionId } = await start();
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const renewed = await person(app, {
      principal_id: ann.principalId,
      role: 'viewer',
      expires_at: expiresAt,
    });
    const socket = await ann.connect(sessionId);

    const { type, data } = await socket.request('authenticate', { token: renewed.key });

    expect(type).toBe('authenticated');
    expect(data).toEqual({ subject: ann.principalId, role: 'viewer', expires_at: expiresAt });
    expect((await socket.request('event', { event_type: 'custom:note' })).data.code).toBe('FORBIDDEN');
    await app.app.services.keys.service.revoke(OPERATOR, ann.keyId);
    expect((await ann.call('GET', '/api/sessions')).status).toBe(401);
    expect((await socket.request('ping')).type).toBe('pong');
    await app.app.services.keys.service.revoke(OPERATOR, renewed.keyId);
    expect((await socket.closed).code).toBe(4010);
  });

  test('with the key of somebody else, or with none, changes nothing', async () => {
    const { app, ann, sessionId } = await start();
    const bob = await person(app, { role: 'admin' });
    const namesake = await person(app, { principal_id: ann.principalId, tenant_id: 'two', role: 'admin' });
    const socket = await ann.connect(sessionId);
    const refused = async (token: string) => (await socket.request('authenticate', { token })).data.code;

    expect(await refused(bob.key)).toBe('FORBIDDEN');
    expect(await refused(namesake.key)).toBe('FORBIDDEN');
    expect(await refused('nothing-that-is-a-key')).toBe('UNAUTHENTICATED');
    expect(await refused('two words')).toBe('UNAUTHENTICATED');
    expect(await refused(`${ann.key}x`)).toBe('UNAUTHENTICATED');
    expect((await socket.request('authenticate')).data.code).toBe('VALIDATION_ERROR');

    expect((await socket.request('event', { event_type: 'custom:note' })).type).toBe('event_published');
    expect(app.app.messaging.connections().map(({ principal_id }) => principal_id)).toEqual([
      ann.principalId,
    ]);
    await app.app.services.keys.service.revoke(OPERATOR, bob.keyId);
    expect((await bob.call('GET', '/api/sessions')).status).toBe(401);
    expect((await socket.request('ping')).type).toBe('pong');
  });

  test('makes nobody who sits at the machine somebody else, and creates no credential', async () => {
    const app = await startApp();
    const sessionId = await app.createSession();
    const bob = await person(app);
    const socket = await TestSocket.open(app.wsUrl(sessionId));

    expect((await socket.request('authenticate', { token: bob.key })).data.code).toBe('FORBIDDEN');
    expect((await socket.request('authenticate', { token: 'x' })).data.code).toBe('UNAUTHENTICATED');
    expect((await call('GET', `${app.url}/api/sessions`)).status).toBe(200);
  });

  test('with the key of the configuration refreshes the socket of its holder', async () => {
    const key = 'correct-horse-battery';
    const app = await startApp({ config: { key } });
    const headers = { authorization: `Bearer ${key}` };
    const created = await call('POST', `${app.url}/api/sessions`, undefined, headers);
    const socket = await TestSocket.open(app.wsUrl(created.body.session_id), { headers });

    expect((await socket.request('authenticate', { token: key })).data).toEqual({
      subject: 'operator',
      role: 'admin',
      expires_at: null,
    });
  });
});

test('check 4: a key that is revoked after a restart ends what was begun with it, though nobody has used it since', async () => {
  const databaseUrl = `sqlite:${await tempDir()}/db`;
  const before = await start({ config: { databaseUrl } });
  await command(before.ann, before.sessionId);
  const runId = (await command(before.ann, before.sessionId)).body.run_id as string;
  await before.gate.reached;
  await before.app.app.close();
  const gate = testGate();
  const apiFactory = testEngine(() => gate.pass());
  const app = await startApp({ apiFactory, config: { databaseUrl } });
  await gate.reached;

  await app.app.services.keys.service.revoke(OPERATOR, before.ann.keyId);

  expect(await endOf(app, before.ann, before.sessionId, runId)).toBe('cancelled');
  gate.open();
});

test('a key that is rotated without a grace has expired: its sockets close with 4001, and no run ends', async () => {
  const { app, ann, sessionId, gate } = await start();
  const socket = await ann.connect(sessionId);
  const accepted = await socket.request('command', { command: 'act' });
  await gate.reached;

  await app.app.services.keys.service.rotate(OPERATOR, ann.keyId, { grace: 0 });

  expect((await socket.closed).code).toBe(4001);
  expect((await ann.call('GET', '/api/sessions')).status).toBe(401);
  gate.open();
  expect(await endOf(app, ann, sessionId, accepted.data.run_id)).toBe('completed');
});

test('a key that nobody has ever used ends nothing when it is revoked: it was made in vain', async () => {
  const { app, ann, sessionId, gate } = await start();
  const accepted = await command(ann, sessionId);
  await gate.reached;
  const lost = await app.app.services.keys.service.rotate(OPERATOR, ann.keyId);

  await app.app.services.keys.service.revoke(OPERATOR, lost.id);

  gate.open();
  expect(await endOf(app, ann, sessionId, accepted.body.run_id)).toBe('completed');
});
