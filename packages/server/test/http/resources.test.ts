import { infoSchema, PROTOCOL_VERSION, sessionListSchema } from '@llmgine/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { expectProblem } from './expect-problem.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('says what it is and where to go on', async () => {
  const { url } = await startApp({ config: { title: 'My API', version: '2.0.0' } });

  const { body } = await call('GET', `${url}/`);

  expect(body).toMatchObject({ name: 'My API', version: '2.0.0', status: 'running' });
  for (const path of [body.docs, body.openapi, body.asyncapi, body.health]) {
    const response = await fetch(url + path);
    await response.arrayBuffer();
    expect(response.status).toBe(200);
  }
});

it('says what it can do', async () => {
  const { url } = await startApp();

  const info = infoSchema.parse((await call('GET', `${url}/api/info`)).body);
  const engines = await call('GET', `${url}/api/engines`);

  expect(info).toMatchObject({ protocol_version: PROTOCOL_VERSION, engine_types: engines.body.engine_types });
  expect(info.message_types).toEqual(expect.arrayContaining(['ping', 'link_engine', 'command']));
  expect(engines.body.engines.map(({ engine_type }: { engine_type: string }) => engine_type)).toEqual(
    engines.body.engine_types,
  );
});

it('links, shows and unlinks the engine of a session', async () => {
  const { url, createSession } = await startApp();
  const session = `${url}/api/sessions/${await createSession()}`;

  expectProblem(await call('GET', `${session}/engine`), 'ENGINE_NOT_LINKED');
  expectProblem(await call('DELETE', `${session}/engine`), 'ENGINE_NOT_LINKED');
  expectProblem(await call('PUT', `${session}/engine`, { engine_type: 'Nope' }), 'INVALID_ENGINE_TYPE');
  expectProblem(await call('PUT', `${session}/engine`, {}), 'VALIDATION_ERROR');
  const linked = await call('PUT', `${session}/engine`, { engine_type: 'SinglePassEngine' });
  const shown = await call('GET', `${session}/engine`);
  const detail = await call('GET', session);
  const unlinked = await call('DELETE', `${session}/engine`);

  expect(linked.body).toEqual({
    engine_id: expect.any(String),
    engine_type: 'SinglePassEngine',
    status: 'running',
  });
  expect(shown.body).toEqual({ ...linked.body, engine_config: {} });
  expect(detail.body.linked_engine).toBe(linked.body.engine_id);
  expect(unlinked.body).toEqual({ engine_id: linked.body.engine_id });
  expect((await call('GET', session)).body.linked_engine).toBeNull();
});

it('pages through sessions with a cursor or an offset', async () => {
  const { url, createSession } = await startApp();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift(await createSession());
  const page = async (query: string) => {
    const { sessions, ...rest } = sessionListSchema.parse(
      (await call('GET', `${url}/api/sessions?${query}`)).body,
    );
    return { ...rest, ids: sessions.map(({ session_id }) => session_id) };
  };

  const first = await page('limit=2');
  const second = await page(`limit=2&cursor=${first.next}`);
  const third = await page(`limit=2&cursor=${second.next}`);

  expect([...first.ids, ...second.ids, ...third.ids]).toEqual(ids);
  expect([first.total, third.next]).toEqual([5, null]);
  expect((await page('limit=2&offset=2')).ids).toEqual(second.ids);
});

it('finds sessions by their metadata', async () => {
  const { url, createSession } = await startApp();
  const wanted = await createSession({ metadata: { project: 'a', n: 7 } });
  await createSession({ metadata: { project: 'b', n: 7 } });
  const find = async (query: string) => {
    const { body } = await call('GET', `${url}/api/sessions/?${query}`);
    return body.sessions.map(({ session_id }: { session_id: string }) => session_id);
  };

  expect(await find('metadata.project=a')).toEqual([wanted]);
  expect(await find('metadata.project=a&metadata.n=7')).toEqual([wanted]);
  expect(await find('metadata.project=a&metadata.n=8')).toEqual([]);
  expect(await find(`metadata.project=${encodeURIComponent("' OR 1=1 --")}`)).toEqual([]);
  expect(await find('metadata.__proto__=x')).toEqual([]);
  expect(await find('project=c&metadata.=x')).toHaveLength(2);
  expectProblem(await call('GET', `${url}/api/sessions?metadata.a=1&metadata.a=2`), 'VALIDATION_ERROR');
});

it('says when there is no room for another session, and when to try again', async () => {
  const { url, createSession } = await startApp({ config: { maxSessions: 1 } });
  await createSession();

  const answer = await call('POST', `${url}/api/sessions`);

  expectProblem(answer, 'RESOURCE_LIMIT_EXCEEDED');
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
});

it('knows a session by its id in either case, with and without a slash at the end', async () => {
  const { url, createSession } = await startApp();
  const id = await createSession();

  for (const path of [id, `${id}/`, id.toUpperCase()]) {
    expect((await call('GET', `${url}/api/sessions/${path}`)).body.session_id).toBe(id);
  }
  expect((await call('DELETE', `${url}/api/sessions/${id.toUpperCase()}/`)).body).toEqual({
    message: 'Session deleted successfully',
  });
  expectProblem(await call('DELETE', `${url}/api/sessions/${id}`), 'SESSION_NOT_FOUND');
});

it('shows the conversation, newest page first, oldest message first', async () => {
  const { url, createSession } = await startApp();
  const session = `${url}/api/sessions/${await createSession({ engine_type: 'SinglePassEngine' })}`;
  for (const prompt of ['one', 'two']) {
    await call('POST', `${session}/commands`, { command: 'prompt', parameters: { prompt } });
  }

  const newest = await call('GET', `${session}/messages?limit=2`);
  const older = await call('GET', `${session}/messages?limit=2&before=${newest.body.next}`);

  const roles = ({ body }: typeof newest) => body.messages.map(({ role }: { role: string }) => role);
  const said = ({ body }: typeof newest) => body.messages[0].parts[0].text;
  expect([roles(older), roles(newest)]).toEqual([
    ['user', 'assistant'],
    ['user', 'assistant'],
  ]);
  expect([said(older), said(newest), older.body.next]).toEqual(['one', 'two', null]);
  expectProblem(await call('GET', `${session}/messages?before=x`), 'INVALID_CURSOR');
});

it('keeps a session alive by what uses it, not by what reads it', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) });
  const { url, createSession } = await startApp({ config: { sessionTimeout: 0 } });
  const session = `${url}/api/sessions/${await createSession({ engine_type: 'SinglePassEngine' })}`;
  const touchedBy = async (method: string, path: string, body?: object) => {
    vi.setSystemTime(Date.now() + 60_000);
    await call(method, session + path, body);
    return (await call('GET', session)).body.last_interaction_at === new Date().toISOString();
  };

  for (const path of ['', '/engine', '/events', '/messages', '/runs']) {
    expect(await touchedBy('GET', path), path).toBe(false);
  }
  expect(await touchedBy('PUT', '/engine', { engine_type: 'SinglePassEngine' })).toBe(true);
  expect(await touchedBy('POST', '/commands', { command: 'prompt', parameters: { prompt: 'a' } })).toBe(true);
  expect(await touchedBy('POST', '/events', { event_type: 'custom:a' })).toBe(true);
  expect(await touchedBy('POST', '/runs/00000000-0000-4000-8000-000000000000/cancel')).toBe(true);
  expect(await touchedBy('DELETE', '/engine')).toBe(true);
});

it('calls the model that answers by the name that events use', async () => {
  const { url, createSession } = await startApp({ config: { model: 'demo' } });
  const id = await createSession({ engine_type: 'SinglePassEngine' });
  await call('POST', `${url}/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'x' },
  });

  const info = await call('GET', `${url}/api/info`);
  const { events } = (await call('GET', `${url}/api/sessions/${id}/events`)).body;

  const step = events.find(({ event_type }: { event_type: string }) => event_type === 'step_started');
  expect(info.body.model).toBe('demo:demo');
  expect(step.payload.model).toBe(info.body.model);
});
