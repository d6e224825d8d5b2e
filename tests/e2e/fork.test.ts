/** A conversation that goes on in two ways. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectProblem } from '../../packages/server/test/http/expect-problem.ts';
import { startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { importSession, madeUp, toText } from '../helpers/exports.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { person } from '../helpers/people.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const api = (url: string) => {
  const session = (id: string) => `${url}/api/sessions/${id}`;
  return {
    session,
    prompt: (id: string, prompt: string) =>
      call('POST', `${session(id)}/commands`, { command: 'prompt', parameters: { prompt } }),
    fork: (id: string, body?: object, headers?: Record<string, string>) =>
      call('POST', `${session(id)}/fork`, body, headers),
    messages: async (id: string) => (await call('GET', `${session(id)}/messages`)).body.messages,
  };
};
const calculate = {
  steps: [{ toolCalls: [{ name: 'calculate', arguments: { expression: '6*7' } }] }],
};

describe.each(STORAGES)('%s', (_, data) => {
  test('a fork goes on from the end of a run as if what came after had not been, with all that a strict provider asks for', async () => {
    const { models, url, createSession } = await startModelApp({ config: await data() });
    const { session, prompt, fork, messages } = api(url);
    const id = await createSession({
      engine_type: 'ToolChatEngine',
      engine_config: { system_prompt: 'Be brief.' },
      name: 'Sums',
      metadata: { team: 'a' },
    });
    models.script(calculate, { steps: [{ text: '42' }] }, { steps: [{ text: 'No.' }] });
    await prompt(id, 'What is 6*7?');
    await prompt(id, 'Sure?');
    const before = await messages(id);
    const at = before[3].message_id;

    const forked = await fork(id, { at, name: 'Other sums' });

    expect(forked.status).toBe(201);
    const { session_id } = forked.body;
    expect(forked.headers.get('location')).toBe(`/api/sessions/${session_id}`);
    const forked_from = { session_id: id, message_id: at };
    expect(forked.body).toEqual({ session_id, status: 'success', forked_from });
    expect((await call('GET', session(session_id))).body).toMatchObject({
      name: 'Other sums',
      metadata: { team: 'a' },
      forked_from,
    });
    expect((await call('GET', session(id))).body).not.toHaveProperty('forked_from');
    expect(await messages(session_id)).toEqual(before.slice(0, 4));
    const [engine, theirs] = [
      await call('GET', `${session(session_id)}/engine`),
      await call('GET', `${session(id)}/engine`),
    ];
    expect(engine.body.engine_config).toEqual(theirs.body.engine_config);
    expect(engine.body.engine_id).not.toBe(theirs.body.engine_id);

    models.script({ steps: [{ text: 'Because.' }] });
    expect((await prompt(session_id, 'Why?')).body.result.text).toBe('Because.');

    expect(models.refusals).toEqual([]);
    const sent = models.requests.at(-1)?.body.messages ?? [];
    expect(sent.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
    ]);
    expect(JSON.stringify(sent)).not.toContain('Sure?');
    expect(await messages(id)).toEqual(before);
  });

  test('the log of a fork is a new one that begins behind its messages', async () => {
    const { url, wsUrl, createSession } = await startApp({ config: await data() });
    const { session, prompt, fork } = api(url);
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    await prompt(id, 'Hi');
    const old = (await call('GET', `${session(id)}/events`)).body;
    const { session_id } = (await fork(id)).body;

    const log = (await call('GET', `${session(session_id)}/events`)).body;
    const stale = (await call('GET', `${session(session_id)}/events?after=${old.cursor}`)).body;
    const socket = await TestSocket.open(wsUrl(session_id));
    const { data: history } = await socket.request('history');
    const { data: subscribed } = await socket.request('subscribe', { after: history.cursor });

    expect(log.events.map(({ event_type }: { event_type: string }) => event_type)).toEqual(['engine_linked']);
    expect(stale.resync_required).toBe(true);
    expect(history.messages).toHaveLength(2);
    expect(subscribed).toMatchObject({ cursor: history.cursor, resync_required: false });
  });

  test('deleting the parent changes nothing in the fork, and a fork can be forked', async () => {
    const { url, createSession } = await startApp({ config: await data() });
    const { session, prompt, fork, messages } = api(url);
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    await prompt(id, 'Hi');
    const first = (await fork(id)).body;
    await call('DELETE', session(id));

    const second = (await fork(first.session_id)).body;

    expect((await call('GET', session(first.session_id))).body.forked_from.session_id).toBe(id);
    expect(second.forked_from).toEqual({
      session_id: first.session_id,
      message_id: first.forked_from.message_id,
    });
    expect(await messages(second.session_id)).toEqual(await messages(first.session_id));
    expect((await prompt(second.session_id, 'Go on')).body.status).toBe('completed');
    expectProblem(await fork(id), 'SESSION_NOT_FOUND');
  });

  test('during a run, earlier ends can be forked from, and the newest is one of them', async () => {
    const { models, url, createSession } = await startModelApp({ config: await data() });
    const { session, prompt, fork, messages } = api(url);
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const empty = await fork(id);
    await prompt(id, 'One');
    const gate = models.gate();
    models.script({ steps: [{ text: 'Half' }, { gate }] });
    const command = { command: 'prompt', parameters: { prompt: 'Two' } };
    await call('POST', `${session(id)}/commands`, command, { prefer: 'respond-async' });
    await gate.reached;
    const [asked, answered, asking] = await messages(id);

    const newest = await fork(id);

    expect(empty.body.forked_from.message_id).toBeNull();
    expect(await messages(empty.body.session_id)).toEqual([]);
    expect(newest.body.forked_from.message_id).toBe(answered.message_id);
    expect(await messages(newest.body.session_id)).toEqual([asked, answered]);
    for (const { message_id } of [asked, asking]) {
      const refused = await fork(id, { at: message_id });
      expectProblem(refused, 'VALIDATION_ERROR');
      expect(refused.body.errors).toEqual([
        { path: 'at', message: expect.stringContaining('the last message of a run that has ended') },
      ]);
    }
    const unknown = await fork(id, { at: 'msg_nothing' });
    expectProblem(unknown, 'VALIDATION_ERROR');
    expect(unknown.body.detail).toBe('at is no message of this session');
    gate.release();
  });

  test('the same Idempotency-Key forks once', async () => {
    const { url, createSession } = await startApp({ config: await data() });
    const { prompt, fork } = api(url);
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    await prompt(id, 'Hi');
    const key = { 'idempotency-key': 'once' };

    const first = await fork(id, {}, key);
    const again = await fork(id, {}, key);
    const other = await fork(id, { name: 'x' }, key);

    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(other, 'IDEMPOTENCY_MISMATCH');
    expect((await call('GET', `${url}/api/sessions`)).body.total).toBe(2);
  });
});

test('forks count like other sessions, and belong to those who may read what they fork', async () => {
  const app = await startApp({ config: { key: 'bootstrap-key-of-a-test', maxSessionsPerCaller: 2 } });
  const [owner, other] = [await person(app), await person(app)];
  const viewer = await person(app, { role: 'viewer', principal_id: owner.principalId });
  const id = await owner.createSession();
  const fork = (who: typeof owner) => who.call('POST', `/api/sessions/${id}/fork`);

  expectProblem(await fork(other), 'SESSION_NOT_FOUND');
  expectProblem(await fork(viewer), 'FORBIDDEN');
  expect((await fork(owner)).status).toBe(201);
  expectProblem(await fork(owner), 'RESOURCE_LIMIT_EXCEEDED');
  expect((await other.call('GET', '/api/sessions')).body.total).toBe(0);
});

test('kill -9 leaves a whole fork or none, and what was answered is there (P2, P5)', async () => {
  const dir = await tempDir();
  const preload = fileURLToPath(new URL('../helpers/die-before-reply.ts', import.meta.url));
  const env = { LLMGINE_API_DATA_DIR: dir };
  const first = await startServer({ ...env, NODE_OPTIONS: `--import=${preload}`, DIE_AT_KEY: 'dies' });
  const made = await importSession(first.url, toText(madeUp(5000)));
  const { session_id: id } = made.body;
  await expect(
    call('POST', `${first.url}/api/sessions/${id}/fork`, {}, { 'idempotency-key': 'dies' }),
  ).rejects.toThrow();
  await first.exited;
  const second = await startServer(env);
  // Dies while it forks, or before, or after.
  const dying = call('POST', `${second.url}/api/sessions/${id}/fork`, {}).catch(() => null);
  await second.kill('SIGKILL');
  await dying;

  const third = await startServer(env);
  const again = await call('POST', `${third.url}/api/sessions/${id}/fork`, {}, { 'idempotency-key': 'dies' });
  const { sessions } = (await call('GET', `${third.url}/api/sessions`)).body;

  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(sessions.length).toBeGreaterThanOrEqual(2);
  for (const { session_id } of sessions) {
    const text = await (await fetch(`${third.url}/api/sessions/${session_id}/export`)).text();
    expect(text).toContain('"type":"end","messages":5000');
  }
});
