/** The four bugs that nearly every server of this kind ships first. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** Runs that stand at a gate, and tell whether anybody told them to stop. */
async function startGated() {
  const gate = testGate();
  const stopped: string[] = [];
  const apiFactory = testEngine(async (context) => {
    context.signal.addEventListener('abort', () => stopped.push(context.runId));
    say(context, context.runId, 'half');
    await context.drain();
    await gate.pass();
    // Whoever is over by now is stopped by its own end, which is no news.
    const interrupted = stopped.includes(context.runId);
    return { interrupted };
  });
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const runId = randomUUID();
  const run = `${app.url}/api/sessions/${id}/runs/${runId}`;
  const body = { command: 'act', run_id: runId };
  const ended = async () => {
    await expect.poll(async () => (await call('GET', run)).body.finished_at).not.toBeNull();
    return (await call('GET', run)).body;
  };
  return { ...app, id, gate, stopped, runId, body, ended };
}

test.each(['terminate', 'close'] as const)('a run dies with its socket (%s)', async (how) => {
  const { wsUrl, id, gate, body, ended, app } = await startGated();
  const socket = await TestSocket.open(wsUrl(id));
  socket.send({ type: 'command', data: body });
  await socket.findEvent('text_delta');

  socket.ws[how]();
  await socket.closed;
  await expect.poll(() => app.messaging.connections()).toEqual([]);
  gate.open();

  expect(await ended()).toMatchObject({ status: 'completed', result: { interrupted: false } });
});

test('a run dies with its socket (REST, waiting and streaming)', async () => {
  const { url, id, gate, body, ended } = await startGated();
  const commands = `${url}/api/sessions/${id}/commands`;
  const hangUp = new AbortController();
  const waiting = fetch(commands, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: hangUp.signal,
  });
  const stream = await TestStream.open(commands, { method: 'POST', body });
  await stream.findEvent('text_delta');

  hangUp.abort();
  await expect(waiting).rejects.toThrow('aborted');
  await stream.close();
  // The server has noticed both when it has counted them.
  const counted = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.split('\n').filter((line) => /^llmgine_http_requests_total\{.*commands.*\} 1$/.test(line));
  };
  await expect.poll(counted).toHaveLength(2);
  gate.open();

  expect(await ended()).toMatchObject({ status: 'completed', result: { interrupted: false } });
});

test('"stop" confused with "disconnected"', async () => {
  const { url, wsUrl, id, gate, stopped, body, runId, ended } = await startGated();
  const [owner, other] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  owner.send({ type: 'command', data: body });
  await owner.findEvent('text_delta');

  // Who disconnects stops nothing.
  await owner.close();
  const back = await TestSocket.open(wsUrl(id));
  expect((await back.request('history')).data.runs).toMatchObject([{ run_id: runId, status: 'running' }]);
  expect(stopped).toEqual([]);

  // Who stops, from wherever, disconnects nobody.
  back.send({ type: 'command', message_id: 'again', data: body });
  await back.findType('command_accepted');
  expect((await other.request('cancel', { run_id: runId })).type).toBe('cancelled');
  expect((await back.findType('command_result')).data.status).toBe('cancelled');
  expect(stopped).toEqual([runId]);
  gate.open();
  expect((await ended()).status).toBe('cancelled');
  for (const socket of [back, other]) expect((await socket.request('ping')).type).toBe('pong');
  expect((await call('GET', `${url}/api/sessions/${id}`)).status).toBe(200);
});

test('two turns at once corrupt a session', async () => {
  const { models, url, wsUrl, createSession } = await startModelApp();
  // The answer quotes the prompt, in two pieces with a tool call before them in every other turn.
  models.respond = ({ body }) => {
    const last = body.messages.at(-1);
    const prompt = body.messages.findLast(({ role }) => role === 'user')?.content as string;
    if (last?.role === 'user' && prompt.endsWith('0')) {
      return { steps: [{ toolCalls: [{ name: 'current_time', arguments: {} }] }] };
    }
    return { steps: [{ text: 're ' }, { text: prompt }] };
  };
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const sockets = await Promise.all(Array.from({ length: 3 }, () => TestSocket.open(wsUrl(id))));
  const observer = sockets[0] as TestSocket;
  await observer.request('subscribe');

  const turns = Array.from({ length: 24 }, async (_, n) => {
    const prompt = { prompt: `turn ${n}` };
    const socket = sockets[n % 4];
    if (socket) return socket.run('prompt', prompt);
    const { body } = await call('POST', `${url}/api/sessions/${id}/commands`, {
      command: 'prompt',
      parameters: prompt,
    });
    return body;
  });
  const results = await Promise.all(turns);

  // Each turn got the answer to its own prompt.
  expect(results.map(({ result }) => result.text)).toEqual(results.map((_, n) => `re turn ${n}`));
  // The runs' events do not mix: between its start and its end a run has the log, except for what is accepted meanwhile.
  await observer.find(() => observer.events.filter((e) => e.event_type === 'run_finished').length === 24);
  let current: string | null = null;
  for (const { event_type: type, run_id: run, payload } of observer.events) {
    const accepting = type === 'run_queued' || (type === 'message_completed' && payload.role === 'user');
    if (accepting) continue;
    if (type === 'run_started') {
      expect(current).toBeNull();
      current = run;
    }
    expect(run).toBe(current);
    if (type === 'run_finished') current = null;
  }
  // Every prompt is followed by its answer, in what the model was told and in what people read.
  for (const { body } of models.requests) {
    const said = body.messages.filter(
      ({ role, content }) => role === 'user' || (role === 'assistant' && content),
    );
    for (let n = 0; n + 1 < said.length; n += 2) {
      expect([said[n]?.role, said[n + 1]?.content]).toEqual(['user', `re ${said[n]?.content}`]);
    }
  }
});

test('a run stays "running" for ever after a restart', async () => {
  const models = await startTestModels();
  const gate = models.gate();
  models.script({ steps: [{ text: 'half' }, { gate }] });
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  };
  const first = await startServer(env);
  const { body } = await call('POST', `${first.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const id = body.session_id as string;
  const socket = await TestSocket.open(first.wsUrl(id));
  const run_id = randomUUID();
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' }, run_id };
  socket.send({ type: 'command', data: prompt });
  await gate.reached;

  await first.kill('SIGKILL');

  const second = await startServer(env);
  const session = `${second.url}/api/sessions/${id}`;
  // Who asks for it again gets its end, and the next turn is not blocked.
  const done = { run_id, status: 'completed', result: { text: 'Hello from the model server.' } };
  expect((await call('POST', `${session}/commands`, prompt)).body).toMatchObject(done);
  expect((await call('GET', `${session}/runs/${run_id}`)).body).toMatchObject(done);
  expect((await call('GET', `${session}/runs?status=running`)).body.runs).toEqual([]);
  expect(
    (await call('POST', `${session}/commands`, { ...prompt, run_id: randomUUID(), on_conflict: 'reject' }))
      .body,
  ).toMatchObject({ status: 'completed' });
});
