/** SIGTERM: everybody is told, runs get their time, nothing is lost. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

test('SIGTERM: not ready, clients are sent away, the run finishes in its grace, exit 0, and nothing is lost', async () => {
  const models = await startTestModels();
  const gate = models.gate();
  models.script({ steps: [{ text: 'Before. ' }, { gate }, { text: 'After.' }] });
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
    LLMGINE_API_SHUTDOWN_GRACE: '60',
  };
  const server = await startServer(env);
  const { url, wsUrl } = server;
  const { body } = await call('POST', `${url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const id = body.session_id as string;
  const commands = `${url}/api/sessions/${id}/commands`;
  // Four clients: one that knows only the original document, one that says hello, one that prompts, one on REST.
  const [silent, polite, talker] = [
    await TestSocket.open(wsUrl(id)),
    await TestSocket.open(wsUrl(id)),
    await TestSocket.open(wsUrl(id)),
  ];
  await Promise.all([silent.request('ping'), polite.request('hello')]);
  const runId = randomUUID();
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' }, run_id: runId };
  talker.send({ type: 'command', data: prompt });
  await gate.reached;
  await talker.findEvent('text_delta');
  const waiting = call('POST', commands, prompt);
  await call('POST', commands, prompt, { prefer: 'respond-async' });

  server.child.kill('SIGTERM');

  const [closedSilent, closedPolite, closedTalker] = await Promise.all([
    silent.closed,
    polite.closed,
    talker.closed,
  ]);
  expect([closedSilent.code, closedPolite.code, closedTalker.code]).toEqual([1012, 1012, 1012]);
  expect(silent.frames.map(({ type }) => type)).toEqual(['pong']);
  const goingAway = {
    type: 'going_away',
    server_initiated: true,
    data: { reason: expect.any(String), cursor: null, reconnect_after_ms: expect.any(Number) },
  };
  expect(polite.frames.at(-1)).toEqual(goingAway);
  const cursor = talker.events.at(-1)?.cursor as string;
  expect(talker.frames.at(-1)).toEqual({ ...goingAway, data: { ...goingAway.data, cursor } });

  // It still answers, but takes nothing new.
  expect(await call('GET', `${url}/health/ready`)).toMatchObject({
    status: 503,
    body: { code: 'UNAVAILABLE' },
  });
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  const refused = await call('POST', commands, { command: 'prompt', parameters: { prompt: 'No' } });
  expect([refused.status, refused.body.code]).toEqual([503, 'UNAVAILABLE']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  await expect(TestSocket.open(wsUrl(id))).rejects.toThrow('503');
  gate.release();

  const outcome = { status: 'completed', result: { text: 'Before. After.' } };
  expect(await waiting).toMatchObject({ status: 200, body: outcome });
  expect(await server.exited).toEqual({ code: 0, signal: null });

  const again = await startServer(env);
  const back = await TestSocket.open(again.wsUrl(id));
  await back.request('subscribe', { after: cursor });
  const finished = await back.findEvent('run_finished');
  expect(finished.data.payload).toMatchObject(outcome);
  const text = [...talker.events, ...back.events]
    .filter(({ event_type }) => event_type === 'text_delta')
    .map(({ payload }) => payload.text);
  expect(text.join('')).toBe('Before. After.');
});

test('a run that hangs is ended RUN_INTERRUPTED after the grace; who waits for a queued one is told to come back', async () => {
  const config = { databaseUrl: `sqlite:${await tempDir()}/db` };
  const hangs = testGate();
  const first = await startApp({
    config,
    apiFactory: testEngine(async (context) => {
      say(context, 'm', 'half');
      await context.drain();
      await hangs.pass();
    }),
  });
  const id = await first.createSession({ engine_type: 'TestEngine' });
  const commands = `${first.url}/api/sessions/${id}/commands`;
  const [running, queued] = [randomUUID(), randomUUID()];
  const follower = await TestStream.open(`${first.url}/api/sessions/${id}/events`);
  const answers = [running, queued].map((run_id) => call('POST', commands, { command: 'act', run_id }));
  const stream = TestStream.open(commands, { method: 'POST', body: { command: 'act', run_id: queued } });
  await hangs.reached;
  await follower.findEvent('run_queued', queued);

  await first.app.close({ graceMs: 10 });

  const [interrupted, waiting] = await Promise.all(answers);
  expect(interrupted).toMatchObject({
    status: 200,
    body: { status: 'failed', error: { code: 'RUN_INTERRUPTED' } },
  });
  expect(waiting).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  for (const open of [follower, await stream]) {
    await open.ended;
    expect(open.events.at(-1)).toMatchObject({ event: 'going_away', data: { reason: expect.any(String) } });
  }
  expect(follower.events.map(({ event }) => event)).toContain('message_discarded');

  const second = await startApp({ config, apiFactory: testEngine(() => 'done') });
  const result = await call('POST', `${second.url}/api/sessions/${id}/commands`, {
    command: 'act',
    run_id: queued,
  });
  expect(result.body).toMatchObject({ status: 'completed', result: 'done' });
});

test('closing waits for what is being written, is joined by a second call, and leaves nothing open', async () => {
  const { app, wsUrl, createSession, models } = await startModelApp();
  models.respond = () => ({ steps: [{ text: 'Hi' }] });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  socket.send({ type: 'command', data: { command: 'prompt', parameters: { prompt: 'Hi' } } });
  await socket.findType('command_accepted');
  const [one, two] = [app.close({ graceMs: 10_000 }), app.close()];
  await Promise.all([one, two]);
  expect(await socket.closed).toMatchObject({ code: 1012 });
  await expect(app.services.storage.check()).rejects.toThrow('closed');
});
