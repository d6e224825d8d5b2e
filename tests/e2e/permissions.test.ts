/** Who may do what: each request and each message is asked, and what belongs to others is not there. */
import { randomUUID } from 'node:crypto';
import { defineMessage, ExtensibleAPIFactory } from '@llmgine/api';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { PERMISSIONS, ROLES } from '../../packages/server/src/security/permissions.ts';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { wav } from '../helpers/audio.ts';
import { type Person, person } from '../helpers/people.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const MAY: Readonly<Record<(typeof ROLES)[number], readonly string[]>> = {
  viewer: ['info:read', 'sessions:read'],
  user: ['info:read', 'sessions:read', 'sessions:write', 'runs:write', 'requests:answer'],
  admin: PERMISSIONS,
};

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly id: string;
  /** Undefined for one that is public. */
  readonly permission: string | undefined;
  /** Types of the bodies that it takes; `needsBody` when it takes nothing less. */
  readonly bodies: readonly string[];
  readonly needsBody: boolean;
}

async function operations({ url }: TestApp): Promise<Operation[]> {
  return listed((await call('GET', `${url}/openapi.json`)).body.paths);
}

function listed(paths: Record<string, Record<string, Record<string, unknown>>>): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const body = operation.requestBody as { required?: boolean; content: object } | undefined;
      return {
        method: method.toUpperCase(),
        path,
        id: String(operation.operationId),
        permission: operation['x-permission'] as string | undefined,
        bodies: Object.keys(body?.content ?? {}),
        needsBody: body?.required === true,
      };
    }),
  );
}

/** The path with ids that name nothing. */
function filled(path: string, ids: Readonly<Record<string, string>> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? randomUUID());
}

/** One request and the text of its answer. */
async function send(someone: Person, method: string, path: string) {
  const answer = await fetch(`${someone.url}${path}`, { method, headers: someone.headers });
  return { status: answer.status, body: await answer.text() };
}

/** Asks one operation without a body, and says whether the role was what stood in the way. */
async function isForbidden(someone: Person, { method, path }: Operation): Promise<boolean> {
  const { status, body } = await send(someone, method, filled(path));
  expect(status === 403).toBe(body.includes('"code":"FORBIDDEN"'));
  return status === 403;
}

describe('check 12: roles', () => {
  test('every operation has a rule', async () => {
    const open = (await operations(await startApp())).filter(({ permission }) => permission === undefined);

    expect(open.map(({ id }) => id).sort()).toEqual([
      // Answers with 401 where somebody has to log in.
      'getAuthSession',
      'getHealth',
      'getLiveness',
      'getReadiness',
      'login',
      'logout',
    ]);
  });

  test.each(ROLES)('a %s may call exactly the operations of its role', async (role) => {
    const app = await startApp();
    const someone = await person(app, { role });
    // What ends all runs is allowed or not like the rest, but would do it.
    const all = (await operations(app)).filter(({ permission }) => permission !== undefined);

    const forbidden: string[] = [];
    for (const one of all) if (await isForbidden(someone, one)) forbidden.push(one.id);

    const expected = all.filter(({ permission }) => !MAY[role].includes(String(permission)));
    expect(forbidden.sort()).toEqual(expected.map(({ id }) => id).sort());
  });

  test.each(PERMISSIONS)('a key limited to %s may do that and nothing else', async (permission) => {
    const app = await startApp();
    const someone = await person(app, { role: 'admin', scopes: [permission] });
    const all = (await operations(app)).filter((one) => one.permission !== undefined);

    const allowed: Operation[] = [];
    for (const one of all) if (!(await isForbidden(someone, one))) allowed.push(one);

    expect(allowed.map(({ id }) => id).sort()).toEqual(
      all
        .filter((one) => one.permission === permission)
        .map(({ id }) => id)
        .sort(),
    );
  });

  test.each(ROLES)('a %s may send exactly the messages of its role', async (role) => {
    const app = await startApp();
    const owner = await person(app);
    const sessionId = await owner.createSession();
    const someone = await person(app, { role, principal_id: owner.principalId });
    const socket = await someone.connect(sessionId);
    const { messages } = app.app.services;

    const forbidden: string[] = [];
    for (const type of messages.types) {
      const { data } = await socket.request(type);
      if (data.code === 'FORBIDDEN') forbidden.push(type);
      // A recording that has begun would take what comes next for its own.
      if (type === 'audio_end') expect(socket.ws.readyState).toBe(socket.ws.OPEN);
    }

    const expected = messages.types.filter((type) => {
      const permission = messages.get(type)?.permission;
      return permission !== null && !MAY[role].includes(String(permission));
    });
    expect(forbidden).toEqual(expected);
  });

  test('who may not read sessions cannot connect', async () => {
    const app = await startApp();
    const owner = await person(app);
    const sessionId = await owner.createSession();
    const writer = await person(app, { principal_id: owner.principalId, scopes: ['runs:write'] });

    await expect(writer.connect(sessionId)).rejects.toThrow('403');
  });

  test('a command at the end of a recording is one like others', async () => {
    const app = await startApp();
    const owner = await person(app);
    const sessionId = await owner.createSession({ engine_type: 'ToolChatEngine' });
    const someone = await person(app, {
      principal_id: owner.principalId,
      scopes: ['sessions:read', 'sessions:write'],
    });
    const socket = await someone.connect(sessionId);
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    socket.ws.send(wav(0.1));

    expect((await socket.request('audio_end', { command: 'prompt' })).data.code).toBe('FORBIDDEN');
    expect((await owner.call('GET', `/api/sessions/${sessionId}/runs`)).body.runs).toEqual([]);
    expect((await socket.request('audio_end')).type).toBe('audio_accepted');
  });
});

describe('check 1: without a credential that is valid', () => {
  const KEY = 'correct-horse-battery';

  async function start() {
    const app = await startApp({ config: { key: KEY } });
    const owner = await person(app);
    const path = `/api/sessions/${await owner.createSession()}`;
    return { app, owner, path };
  }

  test('every operation is 401, also on the same machine', async () => {
    const { app } = await start();
    const { paths } = (
      await call('GET', `${app.url}/openapi.json`, undefined, { authorization: `Bearer ${KEY}` })
    ).body;
    const all = listed(paths).filter(({ permission }) => permission !== undefined);
    expect(all.length).toBeGreaterThan(30);

    const answers: [operation: string, status: number][] = [];
    for (const { id, method, path } of all) {
      answers.push([id, (await fetch(`${app.url}${filled(path)}`, { method })).status]);
    }

    expect(answers.filter(([, status]) => status !== 401)).toEqual([]);
  });

  test.each(['none', 'garbage', 'an expired key', 'a revoked key', 'a key with another end'] as const)(
    'with %s, requests, streams and handshakes are 401',
    async (what) => {
      const { app, owner, path } = await start();
      const { service } = app.app.services.keys;
      const headers: Record<string, string> = what === 'none' ? {} : { ...owner.headers };
      if (what === 'garbage') headers.authorization = 'Bearer %00../';
      if (what === 'a key with another end') headers.authorization += 'x';
      if (what === 'a revoked key') await service.revoke(OPERATOR, owner.keyId);
      if (what === 'an expired key') {
        const [row] = await app.app.services.storage.keys.get([owner.keyId]);
        const expiresAt = Date.now() - 1;
        if (row) await app.app.services.storage.keys.change(row, { expiresAt }, expiresAt);
        app.app.services.keys.verifier.forget(owner.keyId);
      }

      const request = await call('GET', `${app.url}${path}`, undefined, headers);
      const stream = await call('GET', `${app.url}${path}/events`, undefined, {
        ...headers,
        accept: 'text/event-stream',
      });

      expect([request.status, stream.status]).toEqual([401, 401]);
      const url = `${app.url.replace('http', 'ws')}${path}/ws`;
      await expect(TestSocket.open(url, { headers })).rejects.toThrow('401');
    },
  );
});

describe('what an application adds', () => {
  const Read = defineMessage('read', z.object({}), { permission: 'sessions:read' });
  const Write = defineMessage('write', z.object({}));
  const apiFactory = () =>
    new ExtensibleAPIFactory()
      .registerMessage(Read, () => ({ type: 'done', data: {} }))
      .registerMessage(Write, () => ({ type: 'done', data: {} }))
      .registerCustomRouter('/api/notes', (router) => {
        router.get('/', async () => 'mine');
        router.get('/shared', { config: { permission: 'sessions:read' } }, async () => 'shared');
        router.get('/open', { config: { public: true } }, async () => 'open');
      })
      .registerCustomRouter('/api/news', (router) => void router.get('/', async () => 'news'), {
        permission: 'info:read',
      });

  test('needs sessions:write where it names nothing else', async () => {
    const app = await startApp({ apiFactory: apiFactory() });
    const viewer = await person(app, { role: 'viewer' });
    const user = await person(app);
    const status = async (someone: Person, path: string) =>
      (await fetch(`${app.url}${path}`, { headers: someone.headers })).status;

    for (const [path, expected] of [
      ['/api/notes', 403],
      ['/api/notes/shared', 200],
      ['/api/notes/open', 200],
      ['/api/news', 200],
    ] as const) {
      expect([path, await status(viewer, path)]).toEqual([path, expected]);
      expect([path, await status(user, path)]).toEqual([path, 200]);
    }
  });

  test('as a message needs sessions:write where it names nothing else', async () => {
    const app = await startApp({ apiFactory: apiFactory() });
    const user = await person(app);
    const sessionId = await user.createSession();
    const viewer = await person(app, { role: 'viewer', principal_id: user.principalId });
    const socket = await viewer.connect(sessionId);

    expect((await socket.request('write')).data.code).toBe('FORBIDDEN');
    expect((await socket.request('read')).type).toBe('done');
  });
});

describe('check 16: permissions are asked for each message', () => {
  /** Asks until the change has reached the socket; that it does is what the test is about. */
  async function untilForbidden(socket: TestSocket): Promise<void> {
    for (;;) {
      const { data } = await socket.request('event', { event_type: 'custom:note' });
      if (data.code === 'FORBIDDEN') return;
    }
  }

  test.each([
    ['here', false],
    ['by another process', true],
  ] as const)('a role that is taken away %s counts on the open socket', async (_where, elsewhere) => {
    const fast = 1_000_000;
    const app = await startApp({ config: { websocketMessageRate: fast, websocketMessageBurst: fast } });
    const user = await person(app);
    const socket = await user.connect(await user.createSession());
    expect((await socket.request('event', { event_type: 'custom:note' })).type).toBe('event_published');

    const { keys, storage } = app.app.services;
    if (elsewhere) {
      const [row] = await storage.keys.get([user.keyId]);
      if (row) await storage.keys.change(row, { role: 'viewer' }, Date.now());
    } else {
      await keys.service.change(OPERATOR, user.keyId, { role: 'viewer' });
    }

    await untilForbidden(socket);
    expect((await socket.request('history')).type).toBe('history_response');
  });

  test('a message that waited for its turn is asked again', async () => {
    const gate = testGate();
    const Slow = defineMessage('slow', z.object({}));
    const app = await startApp({
      apiFactory: new ExtensibleAPIFactory().registerMessage(Slow, async () => {
        await gate.pass();
        return { type: 'done', data: {} };
      }),
    });
    const user = await person(app);
    const socket = await user.connect(await user.createSession());
    const slow = socket.request('slow');
    await gate.reached;
    const waiting = socket.request('event', { event_type: 'custom:note' });
    // The reply says that the frame before it has been read.
    await socket.request('ping');

    await app.app.services.keys.service.change(OPERATOR, user.keyId, { role: 'viewer' });
    while (app.app.messaging.connections().length > 0) {
      // Cancelling never waits for its turn.
      if ((await socket.request('cancel')).data.code === 'FORBIDDEN') break;
    }
    gate.open();

    expect((await slow).type).toBe('done');
    expect((await waiting).data.code).toBe('FORBIDDEN');
  });
});

describe('check 13: what belongs to somebody else is not there', () => {
  /** Everything that has an id, in one session, and a run that waits for an answer. */
  async function belongings(app: TestApp, owner: Person) {
    const sessionId = await owner.createSession({ engine_type: 'TestEngine', engine_config: {} });
    const path = `/api/sessions/${sessionId}`;
    const parked = await owner.call('POST', `${path}/commands`, { command: 'act', parameters: {} });
    const audio = await fetch(`${app.url}${path}/audio`, {
      method: 'POST',
      headers: { ...owner.headers, 'content-type': 'audio/wav' },
      body: new Uint8Array(wav(0.1)),
    });
    expect(parked.body.status).toBe('awaiting_input');
    const { cursor } = (await owner.call('GET', `${path}/events`)).body;
    return {
      path,
      cursor: String(cursor),
      ids: {
        session_id: sessionId,
        run_id: String(parked.body.run_id),
        request_id: String(parked.body.request_id),
        file_id: String(((await audio.json()) as { file_id: string }).file_id),
        key_id: owner.keyId,
      },
    };
  }

  const BODIES: Readonly<Record<string, object>> = {
    linkEngine: { engine_type: 'TestEngine' },
    runCommand: { command: 'act' },
    publishEvent: { event_type: 'custom:note' },
    answerRequest: { outcome: 'approved' },
    changeKey: { name: 'mine' },
  };

  async function start() {
    const app = await startApp({
      apiFactory: new ExtensibleAPIFactory().registerEngine({
        type: 'TestEngine',
        description: 'Asks',
        config: z.object({}),
        resumable: true,
        commands: { act: { description: 'Asks', parameters: z.object({}) } },
        create: () => ({
          async run(context) {
            await context.ask({ key: 'may', kind: 'approval', prompt: 'the secret of the first' });
            return null;
          },
        }),
      }),
    });
    const owner = await person(app, { principal_id: 'ann', tenant_id: 'one' });
    return { app, owner, own: await belongings(app, owner) };
  }

  const OTHERS = [
    ['another principal of the tenant', { principal_id: 'bob', tenant_id: 'one' }],
    ['a namesake in another tenant', { principal_id: 'ann', tenant_id: 'two' }],
    ['an admin of the tenant', { principal_id: 'eve', tenant_id: 'one', role: 'admin' }],
    ['an admin of another tenant', { principal_id: 'ann', tenant_id: 'two', role: 'admin' }],
    ['an admin of the server', { principal_id: 'ann', role: 'admin' }],
  ] as const;

  /** One request for each kind of body and of answer. */
  function* requests({ id, method, bodies }: Operation) {
    const binary = bodies.find((type) => !type.startsWith('application/'));
    if (binary !== undefined) {
      const headers = { 'content-type': binary.replace('*', 'wav') };
      yield { method, headers, body: new Uint8Array(wav(0.1)) };
      return;
    }
    const type = bodies[0];
    const body = BODIES[id];
    for (const accept of ['application/json', 'text/event-stream']) {
      const headers = { accept, ...(body && type !== undefined ? { 'content-type': type } : {}) };
      yield { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
    }
  }

  test('every kind of id, and every body that an operation needs, is among what these tests try', async () => {
    const { app, own } = await start();
    const withIds = (await operations(app)).filter(({ path }) => path.includes('{'));
    const names = withIds.flatMap(({ path }) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));

    expect([...new Set(names)].sort()).toEqual(Object.keys(own.ids).sort());
    const json = withIds.filter(({ needsBody, bodies }) => needsBody && bodies.includes('application/json'));
    expect(json.map(({ id }) => id).filter((id) => BODIES[id] === undefined)).toEqual([]);
  });

  test.each(OTHERS)('over REST and server-sent events, for %s', async (_who, options) => {
    const { app, owner, own } = await start();
    const other = await person(app, options);
    const withIds = (await operations(app)).filter(({ path }) => path.includes('{'));
    expect(withIds.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'cancelRun',
        'createTicket',
        'exportSession',
        'forkSession',
        'listEvents',
        'rotateKey',
      ]),
    );
    const theirs = { ...own.ids, session_id: await other.createSession({ engine_type: 'TestEngine' }) };
    const isForeignAdmin = 'role' in options && 'tenant_id' in options && options.tenant_id === 'two';

    const answers: [operation: string, status: number][] = [];
    for (const operation of withIds) {
      const { path, id, permission } = operation;
      // Keys are not for who is no admin, and the others look after those of their tenant, or of all.
      if (permission === 'admin' && !isForeignAdmin) continue;
      const names = path.match(/\{(\w+)\}/g) ?? [];
      // What belongs to the first, in its session, and in one of the other.
      for (const ids of names.length > 1 ? [own.ids, theirs] : [own.ids]) {
        for (const request of requests(operation)) {
          const headers = { ...other.headers, ...request.headers };
          const { status } = await fetch(`${app.url}${filled(path, ids)}`, { ...request, headers });
          answers.push([id, status]);
        }
      }
    }

    expect(answers.filter(([, status]) => status !== 404)).toEqual([]);
    expect(JSON.stringify((await other.call('GET', '/api/sessions')).body)).not.toContain(own.ids.session_id);
    // Nothing of it had an effect.
    expect((await owner.call('GET', `${own.path}/events`)).body.cursor).toBe(own.cursor);
    const file = await fetch(`${app.url}${own.path}/files/${own.ids.file_id}`, { headers: owner.headers });
    expect(file.status).toBe(200);
  });

  test.each(OTHERS)('over WebSocket, for %s', async (_who, options) => {
    const { app, owner, own } = await start();
    const other = await person(app, options);

    const foreign = await other.connect(own.ids.session_id);
    expect((await foreign.findType('error')).data.code).toBe('SESSION_NOT_FOUND');
    expect((await foreign.closed).code).toBe(4004);

    const socket = await other.connect(await other.createSession({ engine_type: 'TestEngine' }));
    const { run_id, request_id } = own.ids;
    const code = async (type: string, data: object) => (await socket.request(type, data)).data.code;
    expect(await code('cancel', { run_id })).toBe('RUN_NOT_FOUND');
    expect(await code('claim_request', { request_id })).toBe('REQUEST_NOT_FOUND');
    expect(await code('server_response', { request_id, outcome: 'approved' })).toBe('REQUEST_NOT_FOUND');
    expect((await socket.request('subscribe', { after: own.cursor })).data.resync_required).toBe(true);
    expect(JSON.stringify(socket.frames)).not.toContain('the secret of the first');
    // Nothing of it had an effect.
    const run = await owner.call('GET', `${own.path}/runs/${run_id}`);
    expect(run.body.status).toBe('awaiting_input');
  });

  test('a cursor of somebody else shows nothing of theirs', async () => {
    const { app, own } = await start();
    const other = await person(app, { tenant_id: 'one' });
    const sessionId = await other.createSession();

    const stream = await TestStream.open(`${app.url}/api/sessions/${sessionId}/events`, {
      headers: { ...other.headers, 'last-event-id': own.cursor },
    });

    expect((await stream.find(() => true)).event).toBe('resync_required');
    const page = await other.call('GET', `/api/sessions/${sessionId}/events?after=${own.cursor}`);
    expect(page.body).toMatchObject({ events: [], resync_required: true });
  });

  test('a ticket of the first opens no session of the other, and the other way round', async () => {
    const { app, owner, own } = await start();
    const other = await person(app, { tenant_id: 'one' });
    const theirs = await other.createSession();
    const ticket = async (someone: Person, sessionId: string) =>
      (await someone.call('POST', `/api/sessions/${sessionId}/tickets`)).body.ticket as string;
    const open = (sessionId: string, ticket: string) =>
      TestSocket.open(app.wsUrl(sessionId), { protocols: ['llmgine.v1', `llmgine.ticket.${ticket}`] });

    await expect(open(theirs, await ticket(owner, own.ids.session_id))).rejects.toThrow('401');
    await expect(open(own.ids.session_id, await ticket(other, theirs))).rejects.toThrow('401');
  });
});
