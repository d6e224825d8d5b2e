/** What a handle of a run promises, however late, slow or far away who looks at it is. */
import type { LlmgineClient, RunHandle } from '@llmgine/client';
import type { SessionEvent } from '@llmgine/protocol/wire';
import { expect, test, vi } from 'vitest';
import { startProxy } from '../../../tests/faults/tcp-proxy.ts';
import { startApp, type TestApp } from '../../../tests/helpers/app.ts';
import { say, type TestRun, testEngine, testGate } from '../../../tests/helpers/test-engine.ts';
import { stateOf, testClient } from './helpers.ts';
import { event, startWireServer } from './wire-server.ts';

async function start(run: TestRun, options: ConstructorParameters<typeof LlmgineClient>[0] = {}) {
  const app: TestApp = await startApp({ apiFactory: testEngine(run) });
  const client = testClient(app.url, options);
  const { session_id } = await client.sessions.create({ engine_type: 'TestEngine' });
  return { app, client, id: session_id, session: client.session(session_id) };
}

async function read(run: RunHandle): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

const counting: TestRun = async (context) => {
  say(context, 'm', ...Array.from({ length: 200 }, (_, n) => `${n} `));
  await context.drain();
  return { text: 'counted' };
};

test('every loop sees the run from its beginning: one along with it, one after it, two at once', async () => {
  const { session } = await start(counting);
  const run = session.command('act');
  const along = read(run);
  expect(await run.result).toMatchObject({ status: 'completed', result: { text: 'counted' } });
  const [first, second] = await Promise.all([read(run), read(run)]);
  expect(second).toEqual(first);
  expect(await along).toEqual(first);
  expect(first.at(0)?.event_type).toBe('run_queued');
  expect(first.at(-1)?.event_type).toBe('run_finished');
  expect(first.every(({ run_id }) => run_id === run.runId)).toBe(true);
});

test('a loop that is slow, or begins late, keeps little: what is not kept any more comes from the log', async () => {
  const { client, id } = await start(counting, { bounds: { events: 3 } });
  const session = client.session(id);
  const run = session.command('act');
  const loop = run[Symbol.asyncIterator]();
  const first = await loop.next();
  await run.result;
  const rest: SessionEvent[] = [];
  for (let next = await loop.next(); !next.done; next = await loop.next()) rest.push(next.value);
  const { events } = await client.sessions.events(id, { limit: 100 });
  const ofRun = events.filter(({ run_id }) => run_id === run.runId);
  expect([first.value, ...rest].slice(0, ofRun.length)).toEqual(ofRun);
  expect(rest.at(-1)?.event_type).toBe('run_finished');
  expect(await read(run)).toEqual([first.value, ...rest]);
});

test('what is kept has a limit of its size, too', async () => {
  const { client, id } = await start(counting, { bounds: { characters: 1_000 } });
  const run = client.session(id).command('act');
  await run.result;
  const events = await read(run);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => (events[0]?.seq ?? 0) + n));
  expect(events.at(-1)?.event_type).toBe('run_finished');
});

test('leaving the loop leaves the run alone', async () => {
  const gate = testGate();
  const { session } = await start(async (context) => {
    say(context, 'm', 'begun');
    await gate.pass();
    return 'done';
  });
  const run = session.command('act');
  for await (const event of run) if (event.event_type === 'text_delta') break;
  gate.open();
  expect(await run.result).toMatchObject({ status: 'completed', result: 'done' });
});

test('calls of next that do not wait for each other get the events in their order', async () => {
  const { session } = await start(counting);
  const run = session.command('act');
  const loop = run[Symbol.asyncIterator]();
  const results = await Promise.all([loop.next(), loop.next(), loop.next()]);
  const seqs = results.map(({ value }) => value?.seq ?? 0);
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(new Set(seqs).size).toBe(3);
});

test('cancel and a signal end the run as cancelled; there is no text of it', async () => {
  const { session } = await start(async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const run = session.command('act');
  await run.cancel();
  expect(await run.result).toMatchObject({ status: 'cancelled' });
  await expect(run.text).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
  await run.cancel();

  const controller = new AbortController();
  const other = session.command('act', {}, { signal: controller.signal });
  await other.accepted;
  controller.abort();
  expect(await other.result).toMatchObject({ status: 'cancelled' });
  const reason = controller.signal.reason as unknown;
  await expect(session.command('act', {}, { signal: controller.signal }).result).rejects.toBe(reason);
});

test('a run that fails resolves its result, and its text rejects with its code', async () => {
  const { session } = await start(() => {
    throw new Error('mine');
  });
  const run = session.command('act');
  expect(await run.result).toMatchObject({ status: 'failed' });
  await expect(run.text).rejects.toMatchObject({ code: (await run.result).error?.code });
});

test('a command that is refused rejects everything, and the loop throws', async () => {
  const { session } = await start(counting);
  const run = session.command('no_such_command');
  const refused = { code: 'UNKNOWN_COMMAND' };
  await expect(run.accepted).rejects.toMatchObject(refused);
  await expect(run.result).rejects.toMatchObject(refused);
  await expect(run.text).rejects.toMatchObject(refused);
  await expect(read(run)).rejects.toMatchObject(refused);
  await expect(run.cancel()).rejects.toMatchObject(refused);
});

test('the same run_id is the same run: while it goes on, and when it has ended', async () => {
  const { session, client, id } = await start(counting);
  const run = session.command('act');
  expect(session.command('act', {}, { runId: run.runId })).toBe(run);
  const events = await read(run);
  const again = session.command('act', {}, { runId: run.runId });
  expect(await again.result).toEqual(await run.result);
  const other = client.session(id).command('act', {}, { runId: run.runId });
  expect(await other.result).toEqual(await run.result);
  const kept = (event: SessionEvent) => event.event_type !== 'text_delta';
  expect((await read(other)).filter(kept)).toEqual(events.filter(kept));
  expect((await client.runs.list(id)).runs).toHaveLength(1);
});

test('attach follows a run that somebody else has started, from its beginning to its end', async () => {
  const gate = testGate();
  const { session, client, id } = await start(async (context) => {
    say(context, 'm', 'begun ');
    await gate.pass();
    say(context, 'n', 'and ended');
    return { text: 'begun and ended' };
  });
  const run = session.command('act');
  await gate.reached;
  const attached = client.session(id).attach(run.runId);
  const reading = read(attached);
  await attached.accepted;
  gate.open();
  expect(await attached.text).toBe('begun and ended');
  const events = await read(run);
  expect((await reading).at(-1)).toEqual(events.at(-1));
  expect((await reading).map(({ event_type }) => event_type)).toContain('run_queued');
  const late = client.session(id).attach(run.runId);
  expect(await late.result).toEqual(await run.result);
  expect((await read(late)).at(-1)).toEqual(events.at(-1));
});

test('attach to a run that is not there rejects', async () => {
  const { session } = await start(counting);
  const run = session.attach('00000000-0000-4000-8000-000000000000');
  await expect(run.result).rejects.toMatchObject({ code: 'RUN_NOT_FOUND', status: 404 });
});

test('a run that ends while nobody is connected has its result and its events afterwards', async () => {
  const gate = testGate();
  const { app, id } = await start(async (context) => {
    say(context, 'm', 'begun ');
    await gate.pass();
    say(context, 'n', 'and ended');
    return { text: 'begun and ended' };
  });
  const { hostname, port } = new URL(app.url);
  const network = await startProxy({ host: hostname, port: Number(port) });
  const session = testClient(network.url()).session(id);
  const run = session.command('act');
  const reading = read(run);
  await gate.reached;
  network.accept = 'refuse';
  network.cut();
  await stateOf(session, 'reconnecting');
  const { runs } = testClient(app.url);
  gate.open();
  await expect.poll(async () => (await runs.get(id, run.runId)).status).toBe('completed');
  network.heal();
  expect(await run.text).toBe('begun and ended');
  expect((await reading).map(({ event_type }) => event_type)).toEqual(
    expect.arrayContaining(['text_delta', 'run_finished']),
  );
});

const ID = '00000000-0000-4000-8000-000000000000';
const RUN = '00000000-0000-4000-8000-000000000001';
const ofRun = (seq: number, type: string, payload: object = {}) => event(seq, type, payload, { run_id: RUN });
const ENDED = { status: 'completed', result: { text: 'All' }, usage: null, error: null };

/** A server whose log has a run, of which the socket says only so much, and then what the test says. */
async function runOnTwoWays() {
  const log = [
    ofRun(1, 'run_queued'),
    ofRun(2, 'run_started'),
    ofRun(3, 'status', { text: 'half' }),
    ofRun(4, 'run_finished', ENDED),
  ];
  const asked = Promise.withResolvers<() => void>();
  const { url, sockets } = await startWireServer({
    place: () => ({ cursor: 'epoch0:2', resync_required: false }),
    http: (request, response) => {
      const send = (body: object) => response.end(JSON.stringify(body));
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
      if (pathname.endsWith('/events')) {
        const after = Number(searchParams.get('after')?.split(':')[1] ?? 0);
        const events = log.map((text) => JSON.parse(text).data).filter(({ seq }) => seq > after);
        const known = after === 0 ? events.slice(0, 2) : events;
        const cursor = `epoch0:${Math.max(after, ...known.map(({ seq }) => seq))}`;
        send({ events: known, cursor, has_more: false, resync_required: false });
        return;
      }
      asked.resolve(() => send({ run_id: RUN, cursor: 'epoch0:0', ...ENDED }));
    },
  });
  return { url, sockets, log, asked: asked.promise };
}

test('a run whose end is known before its last events have come is read to its end', async () => {
  const { url, asked } = await runOnTwoWays();
  const run = testClient(url).session(ID).attach(RUN);
  const answer = await asked;
  const reading = read(run);
  answer();
  expect((await run.result).status).toBe('completed');
  expect((await reading).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test('a run that ends before the server has said that it is there is accepted nevertheless', async () => {
  const { url, sockets, log, asked } = await runOnTwoWays();
  const session = testClient(url).session(ID);
  const run = session.attach(RUN);
  await asked;
  for (const text of log.slice(2)) sockets[0]?.send(text);
  expect((await run.result).status).toBe('completed');
  session.close();
  await expect(run.accepted).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await run.cancel();
});

test('a loop that reads what is only in the log ends when the session is closed and the log cannot be had', async () => {
  const { app, id } = await start(counting);
  const { hostname, port } = new URL(app.url);
  const network = await startProxy({ host: hostname, port: Number(port) });
  const session = testClient(network.url(), { bounds: { events: 1 } }).session(id);
  const run = session.command('act');
  await run.result;
  network.accept = 'refuse';
  network.cut();
  await stateOf(session, 'reconnecting');
  const reading = read(run);
  session.close();
  await expect(reading).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
});

test('a run that is read along asks for nothing besides its socket', async () => {
  const fetch = vi.fn(globalThis.fetch);
  const { client, id } = await start(counting, { fetch });
  fetch.mockClear();
  const run = client.session(id).command('act');
  expect((await read(run)).at(-1)?.event_type).toBe('run_finished');
  expect(fetch).not.toHaveBeenCalled();
});
