import { randomUUID } from 'node:crypto';
import { ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../helpers/app.ts';
import { check } from './checker.ts';
import { finalLog } from './final-log.ts';
import { History } from './history.ts';
import { somethingIsAsked } from './moments.ts';
import { Random } from './random.ts';
import { ReconnectingClient } from './reconnecting-client.ts';
import { Respondent } from './respondent.ts';
import { answerOverRest } from './rest-answer.ts';
import { startProxy } from './tcp-proxy.ts';

/** A server whose runs ask for an approval and for a tool of a client, and people who reach it through a proxy. */
async function startAsking(thinkMs = 0) {
  const apiFactory = new ExtensibleAPIFactory().registerEngine({
    type: 'AskingEngine',
    description: 'Asks',
    config: z.object({}),
    resumable: true,
    create: () => ({
      run: async (context) => {
        const { outcome } = await context.ask({ key: 'may', kind: 'approval', prompt: 'May I?' });
        const tool = { toolName: 'locate', toolCallId: 'c1', arguments: {} };
        const where = await context.ask({ key: 'where', kind: 'client_tool', prompt: 'Where?', ...tool });
        const call = { tool_call_id: tool.toolCallId, tool_name: tool.toolName, arguments: tool.arguments };
        context.emit({ event_type: 'tool_call', payload: call });
        const result = { result: where.value ?? null, is_error: where.outcome === 'error', duration_ms: 1 };
        context.emit({ event_type: 'tool_result', payload: { tool_call_id: tool.toolCallId, ...result } });
        return [outcome, where.outcome];
      },
    }),
  });
  const app = await startApp({ apiFactory });
  const { hostname, port } = new URL(app.url);
  const random = new Random(1);
  const proxy = await startProxy({ host: hostname, port: Number(port) }, random);
  const session = await app.createSession({ engine_type: 'AskingEngine' });
  const history = new History();
  const url = () => `${proxy.url()}/api/sessions/${session}`;
  const socketUrl = () => `${proxy.url('ws')}/api/sessions/${session}/ws`;
  const connect = async (name: string, { answers = true } = {}) => {
    const person = new Respondent({ history, session, url, random: random.fork(), thinkMs });
    const onRequest = answers ? person.onRequest : null;
    const options = { name, session, url: socketUrl, history, random: random.fork(), onRequest };
    return { person, client: await ReconnectingClient.start(options) };
  };
  const violations = async () => {
    const log = await finalLog(app.url, session);
    await history.until(({ sightings }) =>
      sightings.some((seen) => seen.kind === 'event' && seen.event.cursor === log.cursor),
    );
    return check(history, [log], { allCompleted: true });
  };
  return { proxy, session, history, random, url, connect, violations };
}

const ends = (history: History, kind: string) =>
  history.operations.filter((operation) => operation.kind === kind).map(({ outcome }) => outcome);

test('several people answer everything, and are told whose answer counts', async () => {
  const { history, connect, violations } = await startAsking(5);
  const all = [await connect('one'), await connect('two'), await connect('three')];
  for (const { client } of all) await Promise.all([client.prompt('Go'), client.prompt('Go on')]);
  await Promise.all(all.map(({ person }) => person.settled()));

  expect(await violations()).toEqual([]);
  const claims = ends(history, 'claim');
  expect(claims).toHaveLength(18);
  expect(claims.filter((end) => end === 'ok')).toHaveLength(6);
  const answers = ends(history, 'answer');
  expect(answers).toHaveLength(24);
  expect(answers).not.toContain('open');
  expect(answers).not.toContain('unknown');
});

test('who connects while something waits is told of it, and answers', async () => {
  const { history, connect, violations } = await startAsking();
  const asker = await connect('asker', { answers: false });
  const run = asker.client.prompt('Go');
  await somethingIsAsked(history);
  const { person } = await connect('late');

  expect((await run).status).toBe('completed');
  await person.settled();
  const [pending] = history.sightings.filter(({ kind }) => kind === 'pending');
  expect(pending).toMatchObject({ client: 'late', requests: [expect.stringMatching(/^req_/)] });
  expect(await violations()).toEqual([]);
});

test('held it answers nothing', async () => {
  const { history, connect } = await startAsking();
  const { person, client } = await connect('one');
  person.hold();
  const run = client.prompt('Go');
  await somethingIsAsked(history);
  await client.publish('custom:meanwhile', {});
  expect(ends(history, 'answer')).toEqual([]);
  person.release();
  expect((await run).status).toBe('completed');
});

test('a claim that may have been given is given up, so that the run goes on', async () => {
  const { proxy, history, connect, violations } = await startAsking();
  const { person, client } = await connect('one');
  const run = client.prompt('Go');
  await history.until(({ sightings }) =>
    sightings.some(
      (seen) =>
        seen.kind === 'event' &&
        seen.event.event_type === 'input_requested' &&
        seen.event.payload.kind === 'client_tool',
    ),
  );
  // The server gives the claim, and nobody hears of it.
  proxy.set({ flow: 'swallow' }, 'toClient');
  const { bytes } = proxy.swallowed.toClient;
  await expect.poll(() => proxy.swallowed.toClient.bytes).toBeGreaterThan(bytes);
  proxy.heal();
  client.drop();

  expect((await run).result).toEqual([expect.any(String), 'error']);
  await person.settled();
  expect(ends(history, 'claim')).toEqual(['unknown']);
  expect(history.executions).toEqual([]);
  expect(await violations()).toEqual([]);
});

test.each([1, 2, 3, 4])(
  'an answer over REST whose acknowledgement is lost is sent again, and counts once (seed %i)',
  async (seed) => {
    const { proxy, session, history, url, connect } = await startAsking();
    const { client } = await connect('one', { answers: false });
    const run = client.prompt('Go');
    run.catch(() => {});
    await somethingIsAsked(history);
    const id = requestSeenIn(history);
    const body = { outcome: 'approved' } as const;
    const operation = history.invoke({ kind: 'answer', client: 'one', session, id, body });
    proxy.set({ flow: 'swallow' }, 'toClient');
    const address = () => `${url()}/requests/${id}`;
    const options = { url: address, operation, random: new Random(seed), patienceMs: 10_000 };
    const answered = answerOverRest(body, options);
    await expect.poll(() => proxy.swallowed.toClient.bytes).toBeGreaterThan(0);
    proxy.heal();
    proxy.cut();

    await answered;
    expect(operation.operation).toMatchObject({ outcome: 'ok', result: { outcome: 'approved' } });
    const other = history.invoke({ kind: 'answer', client: 'one', session, id, body: { outcome: 'denied' } });
    await expect(answerOverRest({ outcome: 'denied' }, { ...options, operation: other })).rejects.toThrow(
      'REQUEST_ALREADY_ANSWERED',
    );
    expect(other.operation).toMatchObject({ outcome: 'failed', error: 'REQUEST_ALREADY_ANSWERED' });
  },
);

test('an answer over REST that nobody takes is given up, and unknown', async () => {
  const { proxy, session, history, random, url } = await startAsking();
  proxy.accept = 'refuse';
  const operation = history.invoke({ kind: 'answer', client: 'one', session, id: randomUUID(), body: {} });
  const options = { url, operation, random, patienceMs: 100 };
  await expect(answerOverRest({ outcome: 'denied' }, options)).rejects.toThrow('for 100 ms');
  expect(operation.operation.outcome).toBe('unknown');
});

function requestSeenIn({ sightings }: History): string {
  for (const seen of sightings) {
    if (seen.kind === 'event' && seen.event.event_type === 'input_requested') {
      return seen.event.payload.request_id;
    }
  }
  throw new Error('nothing was asked');
}
