/** F12: the wall clock is set by an hour, either way, in the middle of things. Sessions: packages/server/test/sessions. */
import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { setClock } from './f12-clock.ts';

const HOUR_MS = 3_600_000;

const apiFactory = () =>
  new ExtensibleAPIFactory().registerTool(
    defineTool({
      name: 'pay',
      description: 'Pays',
      parameters: z.object({}),
      approval: true,
      execute: () => 'paid',
    }),
  );

test.each([HOUR_MS, -HOUR_MS])(
  'F12: a run keeps its time, and its log its order, when the clock is set by %i ms (P1, P6)',
  async (step) => {
    const { models, wsUrl, createSession } = await startModelApp({ config: { runTimeout: 60 } });
    const gate = models.gate();
    models.script({ steps: [{ text: 'Before ' }, { gate }, { text: 'and after.' }] });
    const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
    const run = socket.run('prompt', { prompt: 'Hi' });
    await gate.reached;

    setClock(step);
    gate.release();

    expect(await run).toMatchObject({ status: 'completed', result: { text: 'Before and after.' } });
    const seqs = socket.events.map(({ seq }) => seq as number);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  },
);

test.each([HOUR_MS, -HOUR_MS])(
  'F12: the deadline of a run is reached in its own time when the clock is set by %i ms (P6)',
  async (step) => {
    const { models, wsUrl, createSession } = await startModelApp({ config: { runTimeout: 0.5 } });
    const gate = models.gate();
    models.script({ steps: [{ text: 'Before ' }, { gate }] });
    const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
    const run = socket.run('prompt', { prompt: 'Hi' });
    const began = performance.now();
    await gate.reached;

    setClock(step);

    expect(await run).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } });
    expect(performance.now() - began).toBeGreaterThan(450);
  },
);

test('F12: messages, runs and cursors keep their order while the clock goes back and forth (P1, P3)', async () => {
  const { models, url, wsUrl, createSession } = await startModelApp();
  models.respond = ({ body }) => ({ steps: [{ text: `to ${body.messages.at(-1)?.content}` }] });
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const runs: string[] = [];
  const ask = async (prompt: string) => runs.push((await socket.run('prompt', { prompt })).run_id);
  await ask('one');
  const { cursor } = socket.events.at(-1);
  setClock(-HOUR_MS);
  await ask('two');
  setClock(2 * HOUR_MS);
  await ask('three');

  const session = `${url}/api/sessions/${id}`;
  const { messages } = (await call('GET', `${session}/messages`)).body;
  expect(messages.map(({ parts }: { parts: { text: string }[] }) => parts[0]?.text)).toEqual([
    'one',
    'to one',
    'two',
    'to two',
    'three',
    'to three',
  ]);
  const listed = (await call('GET', `${session}/runs`)).body.runs;
  expect(listed.map(({ run_id }: { run_id: string }) => run_id)).toEqual(runs.toReversed());
  const back = await TestSocket.open(wsUrl(id));
  await back.request('subscribe', { after: cursor });
  await back.findEvent('run_finished', runs[2]);
  expect(back.events).toEqual(socket.events.slice(-back.events.length));
  expect(back.events[0].run_id).toBe(runs[1]);
  // The clock did go back.
  const asked = messages.filter(({ role }: { role: string }) => role === 'user');
  const [one, two] = asked.map(({ created_at }: { created_at: string }) => Date.parse(created_at));
  expect(one - two).toBeGreaterThan(HOUR_MS / 2);
});

test.each([HOUR_MS, -HOUR_MS])(
  'F12: a request to people can be answered as long as it could before, when the clock is set by %i ms (P6)',
  async (step) => {
    const { models, url, wsUrl, createSession } = await startModelApp({
      apiFactory: apiFactory(),
      config: { requestTimeout: 600 },
    });
    models.script(
      { steps: [{ toolCalls: [{ name: 'pay', arguments: {} }] }] },
      { steps: [{ text: 'Done.' }] },
    );
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const socket = await TestSocket.open(wsUrl(id));
    const run = socket.run('prompt', { prompt: 'Pay' });
    const { request_id } = (await socket.findEvent('input_requested')).data.payload;

    setClock(step);
    const answer = { outcome: 'approved' };
    const accepted = await call('POST', `${url}/api/sessions/${id}/requests/${request_id}`, answer);

    expect(accepted.status).toBe(200);
    expect(await run).toMatchObject({ status: 'completed', result: { text: 'Done.' } });
  },
);

test('F12: a lease is held by the clock of the database, whatever that of the process says (P6)', async () => {
  const { url } = await testDatabase();
  const { app, models, wsUrl, createSession } = await startModelApp({
    config: { databaseUrl: url, runLease: 1 },
  });
  const { storage } = app.services;
  const { boot } = storage;
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));

  setClock(HOUR_MS);

  expect(await storage.lease?.renew()).toBe(true);
  expect(await storage.orphanedRuns()).toEqual([]);
  models.script({ steps: [{ text: 'Still here.' }] });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ result: { text: 'Still here.' } });
  expect(storage.boot).toBe(boot);
});
