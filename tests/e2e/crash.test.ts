/** `kill -9`, and a start on the same data. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';

async function bornAgain(env: Record<string, string> = {}) {
  const dir = await tempDir();
  const models = await startTestModels();
  const start = () =>
    startServer({
      LLMGINE_API_DATA_DIR: dir,
      LLMGINE_API_MODEL: 'openai-compatible:x',
      OPENAI_BASE_URL: models.baseUrl,
      ...env,
    });
  return { models, start };
}

async function createSession(url: string): Promise<string> {
  const { body } = await call('POST', `${url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  return body.session_id;
}

test('kill -9 during a streamed answer loses nothing that anyone has seen, and the answer goes on (P1, P2, P6)', async () => {
  const { models, start } = await bornAgain();
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'One' }] },
    { steps: [{ text: 'Half a ' }, { text: 'sentence' }, { gate }] },
  );
  const first = await start();
  const id = await createSession(first.url);
  const before = await call('GET', `${first.url}/api/sessions/${id}/engine`);
  const events = `/api/sessions/${id}/events`;
  const origin = (await call('GET', `${first.url}${events}?limit=1`)).body.events[0];
  const socket = await TestSocket.open(first.wsUrl(id));
  const stream = await TestStream.open(`${first.url}${events}?after=${origin.cursor}`);
  const [interrupted, queued] = [randomUUID(), randomUUID()];
  await socket.run('prompt', { prompt: 'First' });
  const prompt = (text: string, run_id: string) =>
    socket.send({ type: 'command', data: { command: 'prompt', parameters: { prompt: text }, run_id } });
  prompt('Second', interrupted);
  await gate.reached;
  await socket.find(({ data }) => data.payload?.text?.includes('sentence'));
  prompt('Third', queued);
  await stream.findEvent('message_completed', queued);

  await first.kill('SIGKILL');

  await Promise.all([socket.closed, stream.ended]);
  models.script({ steps: [{ text: 'A whole sentence' }] }, { steps: [{ text: 'Three' }] });
  const again = await start();
  const back = await TestSocket.open(again.wsUrl(id));
  await back.request('subscribe', { after: origin.cursor });
  await back.findEvent('run_finished', queued);

  // Every event that any client has seen is there, with its place.
  const there = new Map(back.events.map((event) => [event.seq, event]));
  for (const seen of [...socket.events, ...stream.events.map(({ data }) => data)]) {
    expect(there.get(seen.seq)).toEqual(seen);
  }
  const seqs = back.events.map(({ seq }) => seq as number);
  expect(seqs).toEqual(seqs.map((_, i) => origin.seq + 1 + i));

  // What it had half said is withdrawn, the step is done anew, and the run ended once.
  const ofRun = back.events.filter(({ run_id }) => run_id === interrupted);
  const types = ofRun.map(({ event_type }) => event_type);
  expect(types.slice(types.indexOf('message_discarded'))).toEqual([
    'message_discarded',
    'status',
    'step_started',
    'message_started',
    'text_delta',
    'message_completed',
    'step_finished',
    'run_finished',
  ]);
  expect(types.filter((type) => type === 'run_started')).toHaveLength(1);
  expect(await call('GET', `${again.url}/api/sessions/${id}/runs/${interrupted}`)).toMatchObject({
    status: 200,
    body: { status: 'completed', result: { text: 'A whole sentence' }, finished_at: expect.any(String) },
  });
  // The one behind it has run.
  expect((await call('GET', `${again.url}/api/sessions/${id}/runs/${queued}`)).body).toMatchObject({
    status: 'completed',
    result: { text: 'Three' },
  });
  expect((await call('GET', `${again.url}/api/sessions/${id}/engine`)).body).toEqual(before.body);

  await back.run('prompt', { prompt: 'Fourth' });
  expect(models.requests.at(-1)?.body.messages.map(({ content }) => content)).toEqual([
    'First',
    'One',
    'Second',
    'A whole sentence',
    'Third',
    'Three',
    'Fourth',
  ]);
});

test('every write that was acknowledged before kill -9 is there afterwards', async () => {
  const { start } = await bornAgain();
  const first = await start();
  const id = await createSession(first.url);
  const socket = await TestSocket.open(first.wsUrl(id));
  const acknowledged = () => socket.frames.filter(({ type }) => type === 'event_published');
  // A flood with an end far behind the kill.
  for (let n = 0; n < 20_000; n++) {
    socket.send({
      type: 'event',
      message_id: n,
      data: { event_type: 'custom:n', payload: { n }, event_id: `e${n}` },
    });
  }
  await socket.find(() => acknowledged().length >= 500);

  await first.kill('SIGKILL');

  await socket.closed;
  const sent = acknowledged();
  const again = await start();
  const cursors = new Map<number, string>();
  let after = '';
  for (let more = true; more; ) {
    const { body } = await call('GET', `${again.url}/api/sessions/${id}/events${after}`);
    for (const { event_type, payload, cursor } of body.events) {
      if (event_type === 'custom:n') cursors.set(payload.n, cursor);
    }
    after = `?after=${body.cursor}`;
    more = body.has_more;
  }
  for (const { message_id: n, data } of sent) expect(cursors.get(n as number)).toBe(data.cursor);
  // The same ids again change nothing.
  const back = await TestSocket.open(again.wsUrl(id));
  const n = sent.at(-1)?.message_id as number;
  const repeated = await back.request('event', {
    event_type: 'custom:n',
    payload: { n },
    event_id: `e${n}`,
  });
  expect(repeated.data).toEqual({ cursor: cursors.get(n) });
});
