/** Sessions that leave a server as a file, and come into one. */
import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { exportLineSchema } from '@llmgine/protocol';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { expectProblem } from '../../packages/server/test/http/expect-problem.ts';
import { type StartOptions, startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { exportSession, importSession, type Line, madeUp, toText } from '../helpers/exports.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { person } from '../helpers/people.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { say, testEngine } from '../helpers/test-engine.ts';

const prompt = (url: string, id: string, text: string) =>
  call('POST', `${url}/api/sessions/${id}/commands`, { command: 'prompt', parameters: { prompt: text } });
const PATIENT = { timeout: 15_000 };
const total = async (url: string) => (await call('GET', `${url}/api/sessions`)).body.total;

/** What stays the same from one server to another: all but the id, the times, the use and the log. */
function lasting(lines: readonly Line[]): Line[] {
  return lines
    .filter(({ type }) => type === 'session' || type === 'message')
    .map(({ session_id: _, usage: __, ...line }) =>
      line.type === 'session' ? { ...line, created_at: null } : line,
    );
}

describe.each(STORAGES)('%s', (_, data) => {
  test('an export is the session, its messages, its events and an end, each as the schema says', async () => {
    const { url, createSession } = await startApp({ config: await data() });
    const id = await createSession({ engine_type: 'ToolChatEngine', name: 'N', metadata: { a: [1] } });
    await prompt(url, id, 'What is 6*7?');
    await call('POST', `${url}/api/sessions/${id}/events`, { event_type: 'custom:x', payload: { y: 1 } });

    const { status, headers, lines } = await exportSession(url, id);

    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/jsonl');
    expect(headers.get('content-disposition')).toBe(`attachment; filename="session-${id}.jsonl"`);
    for (const line of lines) expect(exportLineSchema.safeParse(line).error).toBeUndefined();
    const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
    const { events } = (await call('GET', `${url}/api/sessions/${id}/events`)).body;
    expect(lines[0]).toMatchObject({
      type: 'session',
      version: 1,
      session_id: id,
      name: 'N',
      metadata: { a: [1] },
      engine: { engine_type: 'ToolChatEngine' },
      forked_from: null,
      usage: { steps: 2 },
    });
    expect(lines.slice(1)).toEqual([
      ...messages.map((message: object) => ({ type: 'message', ...message })),
      ...events.map((event: object) => ({ type: 'event', ...event })),
      { type: 'end', messages: messages.length, events: events.length },
    ]);
  });

  test('export, import, export: the same but for ids, whatever is in it', async () => {
    const { url, createSession } = await startApp({
      config: await data(),
      apiFactory: testEngine((context) => {
        say(context, `msg_${context.runId}`, 'Ünï 🚀 \u0000 \ud800 ', '"\\\n\u2028');
        for (const message of strangeMessages(context.runId)) {
          context.emit({ event_type: 'message_completed', payload: message as never });
        }
        return 'done';
      }),
    });
    const id = await createSession({
      engine_type: 'TestEngine',
      engine_config: { deep: { é: [null, 1.5] } },
      name: 'Ünï 🚀',
      metadata: { text: '\u0000', nested: { a: [true] } },
    });
    for (const text of ['One', 'Two', 'Three']) await prompt(url, id, text);
    const first = await exportSession(url, id);

    const imported = await importSession(url, first.text);
    const second = await exportSession(url, imported.body.session_id);
    const again = await importSession(url, second.text);
    const third = await exportSession(url, again.body.session_id);

    expect(imported.status).toBe(201);
    expect(imported.headers.get('location')).toBe(`/api/sessions/${imported.body.session_id}`);
    expect(lasting(first.lines).length).toBeGreaterThan(9);
    expect(lasting(second.lines)).toEqual(lasting(first.lines));
    expect(lasting(third.lines)).toEqual(lasting(first.lines));
    const ids = new Set([first, second, third].map(({ lines }) => lines[0].session_id));
    expect(ids.size).toBe(3);
    expect((await prompt(url, imported.body.session_id, 'Four')).body.status).toBe('completed');
  });

  test('an import goes on with a strict provider, tool calls and what it signed included, and can be forked', async () => {
    const { models, url, createSession } = await startModelApp({ config: await data() });
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    models.script(
      { steps: [{ toolCalls: [{ name: 'calculate', arguments: { expression: '6*7' } }] }] },
      { steps: [{ text: '42' }] },
    );
    await prompt(url, id, 'What is 6*7?');
    const { text, lines } = await exportSession(url, id);
    const signed = lines.map((line) =>
      line.role === 'assistant' && line.parts[0].type === 'tool_call'
        ? { ...line, parts: [{ ...line.parts[0], provider_metadata: { x: { signature: 's' } } }] }
        : line,
    );

    const { session_id } = (await importSession(url, toText(signed))).body;
    const plain = (await importSession(url, text)).body.session_id;
    models.script({ steps: [{ text: 'Yes.' }] }, { steps: [{ text: 'Yes.' }] });
    await prompt(url, id, 'Sure?');
    const answer = await prompt(url, plain, 'Sure?');

    expect(answer.body.result.text).toBe('Yes.');
    expect(models.refusals).toEqual([]);
    const [before, after] = models.requests.slice(-2);
    expect(after?.body.messages).toEqual(before?.body.messages);
    const kept = (await exportSession(url, session_id)).lines[2];
    expect(kept.parts[0].provider_metadata).toEqual({ x: { signature: 's' } });
    const forked = await call('POST', `${url}/api/sessions/${session_id}/fork`);
    expect(forked.body.forked_from.message_id).toBe(
      lines.findLast(({ type }) => type === 'message').message_id,
    );
  });

  test('during a run, an export has what was said before it, and its import revives nothing', async () => {
    const { models, url, createSession } = await startModelApp({ config: await data() });
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    await prompt(url, id, 'One');
    const gate = models.gate();
    models.script({ steps: [{ text: 'Half' }, { gate }] });
    const command = { command: 'prompt', parameters: { prompt: 'Two' } };
    await call('POST', `${url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await gate.reached;

    const { text, lines } = await exportSession(url, id);
    const { session_id } = (await importSession(url, text)).body;

    expect(lines.filter(({ type }) => type === 'message')).toHaveLength(3);
    expect(lines.at(-1).type).toBe('end');
    expect((await call('GET', `${url}/api/sessions/${session_id}/runs`)).body.runs).toEqual([]);
    models.script({ steps: [{ text: 'Three' }] });
    expect((await prompt(url, session_id, 'Go on')).body.result.text).toBe('Three');
    expect(models.refusals).toEqual([]);
    gate.release();
  });

  test('the same Idempotency-Key imports once', async () => {
    const { url } = await startApp({ config: await data() });
    const key = { 'idempotency-key': 'once' };
    const file = toText(madeUp(3));

    const first = await importSession(url, file, key);
    const again = await importSession(url, file, key);
    const other = await importSession(url, toText(madeUp(4)), key);

    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(other, 'IDEMPOTENCY_MISMATCH');
    expect(await total(url)).toBe(1);
  });

  test('a long conversation goes out and in piece by piece', async () => {
    const { app, url } = await startApp({ config: await data() });
    const pages = vi.spyOn(app.services.storage.transfers, 'conversationPage');
    const batches = vi.spyOn(app.services.storage.transfers, 'add');
    const file = madeUp(1000);

    const { session_id } = (await importSession(url, toText(file))).body;
    const { lines } = await exportSession(url, session_id);

    expect(lasting(lines).slice(1)).toEqual(lasting(file).slice(1));
    for (const [, messages] of batches.mock.calls) expect(messages.length).toBeLessThanOrEqual(200);
    expect(pages.mock.calls.length).toBeGreaterThanOrEqual(10);
  });
});

function strangeMessages(runId: string) {
  const tool_call_id = 'call"\u0000';
  const written = { run_id: runId, created_at: new Date().toISOString(), metadata: { '': { __a: null } } };
  const call_ = { type: 'tool_call', tool_call_id, tool_name: 't', arguments: { '\ud800': ['x'] } };
  return [
    {
      ...written,
      message_id: `call_${runId}`,
      role: 'assistant',
      parts: [{ ...call_, provider_metadata: { p: 1 } }],
    },
    {
      ...written,
      message_id: `result_${runId}`,
      role: 'tool',
      parts: [
        { type: 'tool_result', tool_call_id, tool_name: 't', result: 'x'.repeat(200_000), is_error: false },
      ],
    },
  ];
}

const [session, first, second, end] = madeUp(2);

test('unknown fields are dropped, and the owner that a file names is nobody', async () => {
  const app = await startApp({ config: { key: 'bootstrap-key-of-a-test' } });
  const [owner, other] = [await person(app), await person(app)];
  const extra = { owner_id: other.principalId, tenant_id: 'x', epoch: 'mine', head_seq: 9 };
  const file = toText([{ ...session, ...extra }, { ...first, ...extra }, second, { ...end, ...extra }]);

  const { body } = await importSession(app.url, file, owner.headers);

  const { text, lines } = await exportSession(app.url, body.session_id, owner.headers);
  expect(text).not.toContain(owner.principalId);
  expect(Object.keys(lines[0]).toSorted()).toEqual(
    [
      'type',
      'version',
      'session_id',
      'created_at',
      'name',
      'metadata',
      'engine',
      'forked_from',
      'usage',
    ].toSorted(),
  );
  expect(lines[1]).toEqual(first);
  expect((await owner.call('GET', '/api/sessions')).body.total).toBe(1);
  expect((await other.call('GET', '/api/sessions')).body.total).toBe(0);
});

test('who may not read a session cannot export it, and who may not write imports nothing', async () => {
  const app = await startApp({ config: { key: 'bootstrap-key-of-a-test', maxSessionsPerCaller: 1 } });
  const [owner, other] = [await person(app), await person(app)];
  const viewer = await person(app, { role: 'viewer', principal_id: owner.principalId });
  const id = await owner.createSession();
  const path = `/api/sessions/${id}/export`;

  expectProblem(await other.call('GET', path), 'SESSION_NOT_FOUND');
  expect((await exportSession(app.url, id, viewer.headers)).lines).toHaveLength(2);
  expectProblem(await importSession(app.url, toText(madeUp(1)), viewer.headers), 'FORBIDDEN');
  expectProblem(await importSession(app.url, toText(madeUp(1)), owner.headers), 'RESOURCE_LIMIT_EXCEEDED');
  expectProblem(await importSession(app.url, toText(madeUp(1))), 'UNAUTHENTICATED');
});

test('a body that is no export is refused for its type', async () => {
  const { url } = await startApp();

  for (const type of ['application/json', 'text/plain', 'audio/wav']) {
    expectProblem(await importSession(url, '{}', { 'content-type': type }), 'UNSUPPORTED_MEDIA_TYPE');
  }
  const packed = await importSession(url, '{}', { 'content-encoding': 'gzip' });
  expectProblem(packed, 'UNSUPPORTED_MEDIA_TYPE');
});

/** An import that comes when the test says so. */
function slowImport(url: string): { client: ClientRequest; answered: Promise<number> } {
  const client = httpRequest(`${url}/api/sessions/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/jsonl' },
  });
  client.on('error', () => {});
  onTestFinished(() => void client.destroy());
  const answered = once(client, 'response').then(([response]) => {
    (response as IncomingMessage).resume();
    return (response as IncomingMessage).statusCode ?? 0;
  });
  answered.catch(() => {});
  return { client, answered };
}

/** An application that tells when an import has put something into the storage, and when it has given it up. */
async function watched(options: StartOptions = {}) {
  const app = await startApp(options);
  const { transfers } = app.app.services.storage;
  const told = (method: 'add' | 'abandon') => {
    const done = Promise.withResolvers<void>();
    const real = transfers[method].bind(transfers) as (...parameters: unknown[]) => Promise<never>;
    vi.spyOn(transfers, method).mockImplementation(async (...parameters: unknown[]) => {
      const result = await real(...parameters);
      done.resolve();
      return result;
    });
    return done.promise;
  };
  return { ...app, added: told('add'), abandoned: told('abandon') };
}

test('an import whose client hangs up leaves nothing', async () => {
  const { app, url, added, abandoned } = await watched();
  const { client } = slowImport(url);
  const lines = toText(madeUp(500));
  client.write(lines.slice(0, lines.length / 2));
  await added;

  client.destroy();
  await abandoned;

  const { storage } = app.services;
  while (await storage.purge(100));
  expect(await storage.counts()).toEqual({ sessions: 0, engines: 0 });
  expect((await importSession(url, lines)).status).toBe(201);
});

test('a caller has two imports under way at most', async () => {
  const { url, added } = await watched();
  const lines = toText(madeUp(300));
  const slow = [slowImport(url), slowImport(url)];
  for (const { client } of slow) client.write(lines.slice(0, lines.length - 10));
  await added;
  // The second has its place once its client is asked for the rest.
  const refused = await vi.waitFor(async () => {
    const answer = await importSession(url, lines);
    expect(answer.status).toBe(429);
    return answer;
  }, PATIENT);

  for (const { client } of slow) client.end(lines.slice(-10));

  expectProblem(refused, 'RESOURCE_LIMIT_EXCEEDED');
  expect(await Promise.all(slow.map(({ answered }) => answered))).toEqual([201, 201]);
  expect((await importSession(url, lines)).status).toBe(201);
});

test('an export that nobody reads stops, and one whose session is deleted has no end', async () => {
  const { app, url } = await startApp();
  const file = madeUp(400).map((line) =>
    line.type === 'message' ? { ...line, parts: [{ type: 'text', text: 'x'.repeat(50_000) }] } : line,
  );
  const { session_id } = (await importSession(url, toText(file))).body;
  const pages = vi.spyOn(app.services.storage.transfers, 'conversationPage');
  const response = await fetch(`${url}/api/sessions/${session_id}/export`);
  const reader = response.body?.getReader();
  await reader?.read();

  await call('DELETE', `${url}/api/sessions/${session_id}`);

  // 20 MB do not fit between them, so it was not read to its end by then.
  const rest = async () => {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read());
  };
  await expect(rest()).rejects.toThrow();
  expect(pages.mock.calls.length).toBeLessThan(20);
});

test('kill -9 during an import leaves nothing of it behind (P2)', async () => {
  const dir = await tempDir();
  const env = { LLMGINE_API_DATA_DIR: dir };
  const before = await startServer(env);
  const { client } = slowImport(before.url);
  const lines = toText(madeUp(2000));
  client.write(lines.slice(0, -100));
  const rows = () => {
    const database = new DatabaseSync(`${dir}/llmgine.db`, { readOnly: true });
    try {
      return database
        .prepare('select (select count(*) from messages) + (select count(*) from sessions) as n')
        .get()?.n;
    } finally {
      database.close();
    }
  };
  await vi.waitFor(() => expect(rows()).toBeGreaterThan(1000), PATIENT);

  await before.kill('SIGKILL');

  const after = await startServer(env);
  expect(await total(after.url)).toBe(0);
  await vi.waitFor(() => expect(rows()).toBe(0), PATIENT);
  expect((await importSession(after.url, lines)).status).toBe(201);
});
