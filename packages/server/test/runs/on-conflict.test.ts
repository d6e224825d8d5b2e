/** A command that arrives while a run of the session is unfinished, and the order of those that wait. */
import { randomUUID } from 'node:crypto';
import { StatementSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { startModelApp } from '../../../../tests/helpers/model-app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { promptOf, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

/** An engine that notes what it does, and stands at the gate that a run names. */
async function startGated(config: object = {}) {
  const gates = new Map<string, ReturnType<typeof testGate>>();
  const gateOf = (name: string) => {
    const gate = gates.get(name) ?? testGate();
    gates.set(name, gate);
    return gate;
  };
  const log: string[] = [];
  const apiFactory = testEngine(async ({ parameters, signal }) => {
    const name = String(parameters.name);
    log.push(`${name} starts`);
    const stopped = () => log.push(`${name} stops`);
    signal.addEventListener('abort', stopped);
    await gateOf(name).pass();
    signal.removeEventListener('abort', stopped);
    log.push(`${name} ends`);
    return name;
  });
  const app = await startApp({ apiFactory, config });
  const createSession = () => app.createSession({ engine_type: 'TestEngine' });
  return { ...app, createSession, gateOf, log };
}

function commander(socket: TestSocket) {
  return (name: string, options: object = {}) => socket.run('act', { name }, options);
}

test('queue is the default: runs follow each other in the order of their acceptance', async () => {
  const { wsUrl, createSession, gateOf, log } = await startGated();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const run = commander(socket);
  const results = ['a', 'b', 'c'].map((name) => run(name));
  await gateOf('a').reached;
  await socket.find(() => socket.frames.filter(({ type }) => type === 'command_accepted').length === 3);
  expect(log).toEqual(['a starts']);
  for (const name of ['c', 'b', 'a']) gateOf(name).open();

  expect((await Promise.all(results)).map(({ result }) => result)).toEqual(['a', 'b', 'c']);
  expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends']);
  const accepted = socket.frames.filter(({ type }) => type === 'command_accepted');
  expect(accepted.map(({ data }) => data.position)).toEqual([0, 1, 2]);
  const order = socket.events.map(({ event_type, run_id }) => [event_type, run_id]);
  const ids = accepted.map(({ data }) => data.run_id);
  expect(order.filter(([type]) => type === 'run_started').map(([, id]) => id)).toEqual(ids);
  expect(order.filter(([type]) => type === 'run_finished').map(([, id]) => id)).toEqual(ids);
});

test('reject refuses with RUN_IN_PROGRESS while a run is unfinished, and only then', async () => {
  const { url, wsUrl, createSession, gateOf, log } = await startGated();
  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  const run = commander(socket);
  const first = run('a');
  await gateOf('a').reached;

  await expect(run('b', { on_conflict: 'reject' })).rejects.toThrow('RUN_IN_PROGRESS');
  expect(
    await call('POST', `${url}/api/sessions/${id}/commands`, { command: 'act', on_conflict: 'reject' }),
  ).toMatchObject({ status: 409, body: { code: 'RUN_IN_PROGRESS' } });
  gateOf('a').open();
  await first;
  gateOf('c').open();

  expect(await run('c', { on_conflict: 'reject' })).toMatchObject({ result: 'c' });
  expect(log.filter((line) => line.endsWith('starts'))).toEqual(['a starts', 'c starts']);
  expect((await call('GET', `${url}/api/sessions/${id}/runs`)).body.runs).toHaveLength(2);
});

test('a queue that is full refuses with RESOURCE_LIMIT_EXCEEDED, and has room again when a run has ended', async () => {
  const { url, wsUrl, createSession, gateOf } = await startGated({ maxQueuedRuns: 2 });
  const [id, other] = [await createSession(), await createSession()];
  const [socket, elsewhere] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(other))];
  const run = commander(socket);
  const first = run('a');
  await gateOf('a').reached;
  const waiting = ['b', 'c'].map((name) => run(name));

  const refused = await socket.request('command', { command: 'act', parameters: { name: 'd' } });
  const overRest = await call('POST', `${url}/api/sessions/${id}/commands`, { command: 'act' });
  await expect(run('e', { on_conflict: 'reject' })).rejects.toThrow('RUN_IN_PROGRESS');
  gateOf('f').open();
  const notHere = await commander(elsewhere)('f');
  gateOf('a').open();
  await first;
  const last = run('g');
  for (const name of ['b', 'c', 'g']) gateOf(name).open();

  expect(refused.data).toMatchObject({
    code: 'RESOURCE_LIMIT_EXCEEDED',
    message: expect.stringContaining('2'),
  });
  expect(overRest).toMatchObject({ status: 429, body: { code: 'RESOURCE_LIMIT_EXCEEDED' } });
  expect(overRest.headers.get('retry-after')).toBe('5');
  expect(notHere).toMatchObject({ result: 'f' });
  const results = (await Promise.all([...waiting, last])).map(({ result }) => result);
  expect(results).toEqual(['b', 'c', 'g']);
});

test('what a run costs does not grow with the queue', async () => {
  const { url, wsUrl, createSession, gateOf } = await startGated();
  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  const rows = countRunRows();
  const runs = Array.from({ length: 40 }, () => commander(socket)('a'));
  await socket.find(() => socket.frames.filter(({ type }) => type === 'command_accepted').length === 40);
  expect((await socket.request('history')).data.runs).toHaveLength(40);
  expect((await call('GET', `${url}/api/sessions/${id}/runs`)).body.runs).toHaveLength(40);
  gateOf('a').open();
  await Promise.all(runs);

  // Once, when it starts.
  expect(rows.read).toBe(runs.length);
});

/** Counts the runs that are read whole, with their parameters. */
function countRunRows(): { read: number } {
  const rows = { read: 0 };
  const { all, get } = StatementSync.prototype;
  const count = (found: unknown[]) => {
    rows.read += found.filter((row) => row !== null && typeof row === 'object' && 'parameters' in row).length;
  };
  const spies = [
    vi.spyOn(StatementSync.prototype, 'all').mockImplementation(function (this: StatementSync, ...args) {
      const found = all.apply(this, args);
      count(found);
      return found;
    }),
    vi.spyOn(StatementSync.prototype, 'get').mockImplementation(function (this: StatementSync, ...args) {
      const found = get.apply(this, args);
      count([found]);
      return found;
    }),
  ];
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });
  return rows;
}

test('interrupt cancels what runs and what waits, then starts', async () => {
  const { wsUrl, createSession, gateOf, log } = await startGated();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const run = commander(socket);
  const stopped = ['a', 'b', 'c'].map((name) => run(name));
  await gateOf('a').reached;
  await socket.find(() => socket.frames.filter(({ type }) => type === 'command_accepted').length === 3);
  gateOf('d').open();

  const last = await run('d', { on_conflict: 'interrupt' });

  expect(last).toMatchObject({ status: 'completed', result: 'd' });
  expect((await Promise.all(stopped)).map(({ status }) => status)).toEqual([
    'cancelled',
    'cancelled',
    'cancelled',
  ]);
  expect(log).toEqual(['a starts', 'a stops', 'd starts', 'd ends']);
  const runsOf = (type: string) =>
    socket.events.filter(({ event_type }) => event_type === type).map(({ run_id }) => run_id);
  const [a, b, c, d] = runsOf('run_queued');
  expect(runsOf('run_started')).toEqual([a, d]);
  expect(runsOf('run_finished')).toEqual([c, b, a, d]);
});

test('of interrupts at once each interrupts those before it, and one is left', async () => {
  const { url, wsUrl, createSession, gateOf } = await startGated({ maxQueuedRuns: 1 });
  const id = await createSession();
  const sockets = await Promise.all(Array.from({ length: 3 }, () => TestSocket.open(wsUrl(id))));
  const [watching] = sockets as [TestSocket];
  const before = [commander(watching)('a'), commander(watching)('b')];
  await gateOf('a').reached;

  const interrupt = { on_conflict: 'interrupt' };
  const results = [
    ...sockets.map((socket, n) => commander(socket)(`socket ${n}`, interrupt)),
    ...['x', 'y', 'z'].map(async (name) => {
      const body = { command: 'act', parameters: { name }, ...interrupt };
      return (await call('POST', `${url}/api/sessions/${id}/commands`, body)).body;
    }),
  ];
  const runsOf = (type: string) =>
    watching.events.filter(({ event_type }) => event_type === type).map(({ run_id }) => run_id);
  // Those two, and all but one of the interrupting ones.
  await watching.find(() => runsOf('run_finished').length === 2 + results.length - 1);
  await watching.find(() => runsOf('run_queued').length === 2 + results.length);
  const [last] = runsOf('run_queued').slice(-1);
  for (const name of ['socket 0', 'socket 1', 'socket 2', 'x', 'y', 'z']) gateOf(name).open();

  const ended = await Promise.all(results);
  expect(ended.filter(({ status }) => status === 'completed').map(({ run_id }) => run_id)).toEqual([last]);
  expect(ended.filter(({ status }) => status === 'cancelled')).toHaveLength(results.length - 1);
  expect((await Promise.all(before)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  // Nothing is ahead of them.
  const accepted = sockets.flatMap(({ frames }) => frames.filter(({ type }) => type === 'command_accepted'));
  expect(accepted.map(({ data }) => data.position).sort()).toEqual([0, 0, 0, 0, 1]);
});

test('linking and unlinking an engine are refused while a run is unfinished', async () => {
  const { wsUrl, createSession, gateOf } = await startGated();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const first = commander(socket)('a');
  await gateOf('a').reached;
  const link = await socket.request('link_engine', { engine_type: 'ToolChatEngine' });
  const unlink = await socket.request('unlink_engine');
  expect([link.data.code, unlink.data.code]).toEqual(['RUN_IN_PROGRESS', 'RUN_IN_PROGRESS']);
  gateOf('a').open();
  expect(await first).toMatchObject({ status: 'completed' });
  expect((await socket.request('unlink_engine')).type).toBe('engine_unlinked');
  expect((await socket.request('unlink_engine')).data.code).toBe('ENGINE_NOT_LINKED');
  await expect(commander(socket)('b')).rejects.toThrow('ENGINE_NOT_LINKED');
});

test('a queued run sees the conversation in the order of the runs, and not what is queued behind it', async () => {
  const { models, wsUrl, createSession } = await startModelApp();
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'Answer one' }, { gate }] },
    { steps: [{ text: 'Answer two' }] },
    { steps: [{ text: 'Answer three' }] },
  );
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  const runs = ['One', 'Two', 'Three'].map((prompt) => socket.run('prompt', { prompt }));
  await gate.reached;
  await socket.find(() => socket.frames.filter(({ type }) => type === 'command_accepted').length === 3);
  gate.release();
  await Promise.all(runs);

  const heard = models.requests.map(({ body }) => body.messages.map(({ content }) => content));
  expect(heard).toEqual([
    ['One'],
    ['One', 'Answer one', 'Two'],
    ['One', 'Answer one', 'Two', 'Answer two', 'Three'],
  ]);
});

test('context.history is the conversation up to the own prompt, and what the run has said itself', async () => {
  const heard: string[][] = [];
  const apiFactory = testEngine(async (context) => {
    const texts = async () =>
      (await context.history()).map(
        ({ role, parts }) => `${role}: ${parts.map((p) => p.type === 'text' && p.text)}`,
      );
    const before = await texts();
    const message = {
      message_id: randomUUID(),
      role: 'assistant' as const,
      run_id: null,
      parts: [{ type: 'text' as const, text: `re ${promptOf(context)}` }],
      created_at: new Date().toISOString(),
      metadata: {},
    };
    context.emit({ event_type: 'message_completed', payload: message });
    heard.push(before, await texts());
    return null;
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
  await Promise.all(['x', 'y'].map((prompt) => socket.run('prompt', { prompt })));
  expect(heard).toEqual([
    ['user: x'],
    ['user: x', 'assistant: re x'],
    ['user: x', 'assistant: re x', 'user: y'],
    ['user: x', 'assistant: re x', 'user: y', 'assistant: re y'],
  ]);
});

test('maxConcurrentRuns holds across sessions, and who waits longest is next', async () => {
  const { wsUrl, createSession, gateOf, log } = await startGated({ maxConcurrentRuns: 2 });
  const names = ['a', 'b', 'c', 'd', 'e'];
  const sockets = await Promise.all(names.map(async () => TestSocket.open(wsUrl(await createSession()))));
  const results: Promise<{ result: string }>[] = [];
  for (const [n, name] of names.entries()) {
    const socket = sockets[n] as TestSocket;
    results.push(commander(socket)(name));
    await socket.findType('command_accepted');
  }
  await Promise.all([gateOf('a').reached, gateOf('b').reached]);
  expect(log).toEqual(['a starts', 'b starts']);

  gateOf('b').open();
  await gateOf('c').reached;
  expect(log).toEqual(['a starts', 'b starts', 'b ends', 'c starts']);
  for (const name of names) gateOf(name).open();

  expect((await Promise.all(results)).map(({ result }) => result)).toEqual(names);
  expect(log.filter((line) => line.endsWith('starts'))).toEqual(names.map((name) => `${name} starts`));
});

test('a session with many runs in its queue does not keep the others waiting', async () => {
  const { wsUrl, createSession, gateOf, log } = await startGated({ maxConcurrentRuns: 1 });
  const [busy, other] = [
    await TestSocket.open(wsUrl(await createSession())),
    await TestSocket.open(wsUrl(await createSession())),
  ];
  const first = ['a1', 'a2', 'a3'].map((name) => commander(busy)(name));
  await gateOf('a1').reached;
  const second = commander(other)('b');
  await other.findType('command_accepted');
  for (const name of ['a1', 'a2', 'a3', 'b']) gateOf(name).open();
  await Promise.all([...first, second]);
  expect(log.filter((line) => line.endsWith('starts'))).toEqual([
    'a1 starts',
    'b starts',
    'a2 starts',
    'a3 starts',
  ]);
});

test('a command that the engine does not know, or whose parameters do not fit, makes no run', async () => {
  const { url, createSession, wsUrl } = await startApp();
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const commands = `${url}/api/sessions/${id}/commands`;
  const socket = await TestSocket.open(wsUrl(id));
  await expect(socket.run('fly', {})).rejects.toThrow('UNKNOWN_COMMAND');
  await expect(socket.run('toString', {})).rejects.toThrow('UNKNOWN_COMMAND');
  await expect(socket.run('prompt', {})).rejects.toThrow('VALIDATION_ERROR');
  await expect(socket.run('prompt', { prompt: 7 })).rejects.toThrow('VALIDATION_ERROR');
  expect(await call('POST', commands, { command: 'fly' })).toMatchObject({
    status: 422,
    body: { code: 'UNKNOWN_COMMAND' },
  });
  const invalid = await call('POST', commands, { command: 'prompt', parameters: { prompt: 7 } });
  expect(invalid.body.errors).toEqual([expect.objectContaining({ path: 'parameters.prompt' })]);
  expect((await call('GET', `${url}/api/sessions/${id}/runs`)).body.runs).toEqual([]);
});
