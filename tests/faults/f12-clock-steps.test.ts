/** F12: the wall clock is set by an hour, either way, in the middle of things. Sessions: packages/server/test/sessions. */
import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const HOUR_MS = 3_600_000;

/** It goes on from there. */
function setClock(ms: number): void {
  const { now } = Date;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
  onTestFinished(() => clock.mockRestore());
}

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

test('F12: a lease is held by the clock of the database, whatever that of the process says', async () => {
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
