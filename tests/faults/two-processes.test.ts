/** F2: two processes on one Postgres, of which one is frozen past its lease and wakes up. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startServer } from '../helpers/child-server.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';

async function twoProcesses() {
  const { url } = await testDatabase();
  const models = await startTestModels();
  const start = () =>
    startServer({
      LLMGINE_API_DATABASE_URL: url,
      LLMGINE_API_RUN_LEASE: '1',
      LLMGINE_API_MODEL: 'openai-compatible:x',
      OPENAI_BASE_URL: models.baseUrl,
    });
  return { models, start };
}

const command = (run_id: string, prompt = 'Hi') => ({ command: 'prompt', parameters: { prompt }, run_id });

test('F2: a process that wakes after its lease cannot write, and its clients resume elsewhere (P1, P3, P6)', async () => {
  const { models, start } = await twoProcesses();
  const gate = models.gate();
  models.script({ steps: [{ text: 'Half a ' }, { gate }, { text: 'sentence.' }] });
  const frozen = await start();
  const { body } = await call('POST', `${frozen.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const id = body.session_id as string;
  const socket = await TestSocket.open(frozen.wsUrl(id));
  const stream = await TestStream.open(`${frozen.url}/api/sessions/${id}/events`);
  await socket.request('hello');
  const [run_id, queued] = [randomUUID(), randomUUID()];
  socket.send({ type: 'command', data: command(run_id) });
  await socket.findEvent('text_delta', run_id);
  await gate.reached;
  socket.send({ type: 'command', data: command(queued, 'And then?') });
  await socket.findEvent('run_queued', queued);

  frozen.child.kill('SIGSTOP');
  models.script({ steps: [{ text: 'A whole one.' }] }, { steps: [{ text: 'The end.' }] });
  const other = await start();
  const session = `${other.url}/api/sessions/${id}`;
  const taken = await call('POST', `${session}/commands`, command(run_id));
  const next = await call('POST', `${session}/commands`, command(queued, 'And then?'));

  expect(taken.body).toMatchObject({ status: 'completed', result: { text: 'A whole one.' } });
  expect(next.body).toMatchObject({ status: 'completed', result: { text: 'The end.' } });
  const { headSeq } = await head(session);
  gate.release();
  frozen.child.kill('SIGCONT');

  expect(await socket.closed).toMatchObject({ code: 1012 });
  expect(socket.frames.at(-1)).toMatchObject({ type: 'going_away', data: { cursor: expect.any(String) } });
  await stream.ended;
  // Nothing of the one that woke up is in the log.
  const { events, headSeq: after } = await head(session);
  expect(after).toBe(headSeq);
  const ofRun = events.filter((event) => event.run_id === run_id);
  expect(ofRun.filter(({ event_type }) => event_type === 'run_finished')).toHaveLength(1);
  expect(ofRun.filter(({ event_type }) => event_type === 'message_discarded')).toHaveLength(1);
  expect(JSON.stringify(ofRun)).not.toContain('sentence.');
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));

  // What its client had seen is a beginning of the log, and it resumes on either process.
  const seen = socket.events;
  expect(seen).toEqual(events.filter(({ seq }) => seen.some((event) => event.seq === seq)));
  for (const server of [other, frozen]) {
    const back = await TestSocket.open(server.wsUrl(id));
    await back.request('subscribe', { after: seen.at(-1).cursor });
    await back.findEvent('run_finished', queued);
    expect([...seen, ...back.events].slice(-events.length)).toEqual(
      events.slice(-back.events.length - seen.length),
    );
  }

  // It serves again.
  models.script({ steps: [{ text: 'Awake.' }] });
  const again = await call('POST', `${frozen.url}/api/sessions/${id}/commands`, command(randomUUID()));
  expect(again.body).toMatchObject({ status: 'completed', result: { text: 'Awake.' } });
});

test('a run that executes in one process is cancelled from the other, and ends once (P6)', async () => {
  const { models, start } = await twoProcesses();
  const gate = models.gate();
  models.script({ steps: [{ text: 'So far' }, { gate }] });
  const [one, two] = await Promise.all([start(), start()]);
  const { body } = await call('POST', `${one.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const id = body.session_id as string;
  const run_id = randomUUID();
  const socket = await TestSocket.open(one.wsUrl(id));
  socket.send({ type: 'command', data: command(run_id) });
  await socket.findEvent('text_delta', run_id);
  await gate.reached;

  const cancelled = await call('POST', `${two.url}/api/sessions/${id}/runs/${run_id}/cancel`);

  expect(cancelled).toMatchObject({ status: 200, body: { run_id } });
  gate.release();
  const { events } = await head(`${one.url}/api/sessions/${id}`);
  expect(events.filter(({ event_type }) => event_type === 'run_finished')).toMatchObject([
    { payload: { status: 'cancelled' } },
  ]);
  const { messages } = (await call('GET', `${one.url}/api/sessions/${id}/messages`)).body;
  expect(messages.at(-1)).toMatchObject({ parts: [{ text: 'So far' }], metadata: { incomplete: true } });
  models.script({ steps: [{ text: 'Next.' }] });
  const next = await call('POST', `${one.url}/api/sessions/${id}/commands`, command(randomUUID()));
  expect(next.body).toMatchObject({ status: 'completed', result: { text: 'Next.' } });
});

async function head(session: string) {
  const { body } = await call('GET', `${session}/events`);
  expect(body.has_more).toBe(false);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every type.
  const events = body.events as any[];
  return { events, headSeq: events.at(-1)?.seq as number };
}
