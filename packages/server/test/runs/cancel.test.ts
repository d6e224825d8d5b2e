import { randomUUID } from 'node:crypto';
import { ApiError } from '@llmgine/protocol';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { startModelApp } from '../../../../tests/helpers/model-app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { say, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../src/extensibility/factory.ts';

/** Runs say "so far" and stand still until they are stopped; `deaf` ones do not listen to that. */
async function startTalking(config: object = {}) {
  const seen: string[] = [];
  const leftovers: Promise<void>[] = [];
  const apiFactory = testEngine(async (context) => {
    const { signal, parameters } = context;
    seen.push(String(parameters.name));
    say(context, `m_${context.runId}`, 'so ', 'far');
    await context.drain();
    if (parameters.deaf) {
      const gate = testGate();
      signal.addEventListener('abort', () => {
        // What it does when it is over anyway.
        const late = async () => {
          await new Promise((resolve) => setImmediate(resolve));
          say(context, 'late', 'too late');
          await context.drain();
        };
        leftovers.push(late());
      });
      await gate.pass();
    }
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return 'never';
  });
  const app = await startApp({ apiFactory, config });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const socket = await TestSocket.open(app.wsUrl(id));
  /** Starts a run; resolves when it has spoken. */
  const talk = async (name: string, parameters: object = {}) => {
    const runId = randomUUID();
    const result = socket.run('act', { name, ...parameters }, { run_id: runId });
    // Who does not wait for it does not care how it ends.
    result.catch(() => {});
    await socket.findEvent('text_delta', runId);
    return { runId, result };
  };
  return { ...app, id, socket, seen, leftovers, talk };
}

test('cancelling a run ends it at once and keeps what it had said as an incomplete message', async () => {
  const { socket, talk, url, id } = await startTalking();
  const { runId, result } = await talk('a');

  const cancelled = await socket.request('cancel', { run_id: runId });

  expect(cancelled).toMatchObject({ type: 'cancelled', data: { run_id: runId } });
  expect(await result).toEqual({
    run_id: runId,
    status: 'cancelled',
    result: null,
    usage: null,
    error: null,
  });
  const [message, finished] = socket.events.slice(-2);
  expect(message).toMatchObject({
    event_type: 'message_completed',
    payload: {
      message_id: `m_${runId}`,
      role: 'assistant',
      parts: [{ type: 'text', text: 'so far' }],
      metadata: { incomplete: true },
    },
  });
  expect(finished).toMatchObject({ event_type: 'run_finished', payload: { status: 'cancelled' } });
  const messages = await call('GET', `${url}/api/sessions/${id}/messages`);
  const { replaces, ...kept } = message.payload;
  expect(messages.body.messages).toEqual([kept]);
  expect(replaces).toEqual({ from_seq: 5, to_seq: 5 });
  expect((await call('GET', `${url}/api/sessions/${id}/runs/${runId}`)).body).toMatchObject({
    status: 'cancelled',
    error: null,
  });
});

test('without a run_id the oldest unfinished run is cancelled', async () => {
  const { socket, talk, seen } = await startTalking();
  const first = await talk('a');
  const second = socket.run('act', { name: 'b' });
  expect((await socket.request('cancel')).data.run_id).toBe(first.runId);
  expect((await first.result).status).toBe('cancelled');
  const next = (await socket.request('cancel')).data.run_id;
  expect(await second).toMatchObject({ run_id: next, status: 'cancelled' });
  expect((await socket.request('cancel')).data.code).toBe('RUN_NOT_FOUND');
  expect(seen[0]).toBe('a');
});

test('a queued run that is cancelled never starts', async () => {
  const { socket, talk, seen } = await startTalking();
  const first = await talk('a');
  const runId = randomUUID();
  const second = socket.run('act', { name: 'b' }, { run_id: runId });
  await socket.find(({ type, data }) => type === 'command_accepted' && data.run_id === runId);

  await socket.request('cancel', { run_id: runId });

  expect(await second).toMatchObject({ status: 'cancelled' });
  expect(socket.events.filter(({ run_id }) => run_id === runId).map(({ event_type }) => event_type)).toEqual([
    'run_queued',
    'run_finished',
  ]);
  await socket.request('cancel', { run_id: first.runId });
  await first.result;
  expect(seen).toEqual(['a']);
});

test('a run that waits for a place is cancelled without one', async () => {
  const { wsUrl, createSession, talk, seen } = await startTalking({ maxConcurrentRuns: 1 });
  await talk('a');
  const other = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
  const waiting = other.run('act', { name: 'b' });
  const { data } = await other.findType('command_accepted');

  await other.request('cancel', { run_id: data.run_id });

  expect(await waiting).toMatchObject({ status: 'cancelled' });
  expect(seen).toEqual(['a']);
});

test('cancelling many times at once, on both transports, is the same as once', async () => {
  const { url, id, socket, talk } = await startTalking();
  const { runId, result } = await talk('a');
  const cancel = `${url}/api/sessions/${id}/runs/${runId}/cancel`;
  const answers = await Promise.all([
    ...Array.from({ length: 5 }, async () => (await socket.request('cancel', { run_id: runId })).data),
    ...Array.from({ length: 5 }, async () => (await call('POST', cancel)).body),
  ]);
  expect(answers).toEqual(answers.map(() => ({ run_id: runId })));
  expect((await result).status).toBe('cancelled');
  const ends = socket.events.filter(({ event_type }) => event_type === 'run_finished');
  expect(ends).toHaveLength(1);
  expect(await call('POST', cancel)).toMatchObject({ status: 200, body: { run_id: runId } });
});

test('cancelling does not wait for ever for a storage that fails', async () => {
  const { app, url, id, talk } = await startTalking();
  const { runId, result } = await talk('a');
  const cancel = `${url}/api/sessions/${id}/runs/${runId}/cancel`;
  const refused = Promise.withResolvers<void>();
  const { append } = app.services.storage;
  const failing = vi.spyOn(app.services.storage, 'append').mockImplementation(async (batch) => {
    if (!batch.some(({ writes }) => writes?.some(({ kind }) => kind === 'finish_run'))) {
      return append.call(app.services.storage, batch);
    }
    refused.resolve();
    throw new ApiError('UNAVAILABLE');
  });
  // The five seconds of the wait are over when the test says so.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answer = call('POST', cancel);
  await refused.promise;
  vi.advanceTimersByTime(5000);
  vi.useRealTimers();

  expect(await answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });

  failing.mockRestore();
  expect((await result).status).toBe('cancelled');
  expect(await call('POST', cancel)).toMatchObject({ status: 200, body: { run_id: runId } });
});

test('a run that is unknown or has finished otherwise is RUN_NOT_FOUND', async () => {
  const { url, id, socket } = await startTalking();
  await socket.request('link_engine', { engine_type: 'ToolChatEngine' });
  const { run_id: finished } = await socket.run('prompt', { prompt: 'Hi' });
  for (const runId of [finished, randomUUID()]) {
    expect((await socket.request('cancel', { run_id: runId })).data.code).toBe('RUN_NOT_FOUND');
    expect(await call('POST', `${url}/api/sessions/${id}/runs/${runId}/cancel`)).toMatchObject({
      status: 404,
      body: { code: 'RUN_NOT_FOUND' },
    });
  }
  expect((await socket.request('cancel', { run_id: 'no-uuid' })).data.code).toBe('VALIDATION_ERROR');
  expect((await call('GET', `${url}/api/sessions/${id}/runs/${finished}`)).body.status).toBe('completed');
});

test('an engine that ignores the signal ends all the same, and what it still does goes nowhere', async () => {
  const { url, id, socket, talk, leftovers } = await startTalking({ maxConcurrentRuns: 1 });
  const { runId, result } = await talk('a', { deaf: true });

  await socket.request('cancel', { run_id: runId });

  expect((await result).status).toBe('cancelled');
  await Promise.all(leftovers);
  expect(leftovers).toHaveLength(1);
  // Its place is free, and nothing follows its end.
  const next = await talk('b');
  await socket.request('cancel', { run_id: next.runId });
  const events = (await call('GET', `${url}/api/sessions/${id}/events`)).body.events;
  expect(JSON.stringify(events)).not.toContain('too late');
  const ofRun = events.filter(({ run_id }: { run_id?: string }) => run_id === runId);
  expect(ofRun.at(-1).event_type).toBe('run_finished');
});

test('the model is told what a cancelled run had said, and every tool call has a result', async () => {
  const { models, wsUrl, createSession } = await startModelApp();
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'Half a ' }, { text: 'sentence' }, { gate }] },
    { steps: [{ toolCalls: [{ id: 'call_1', name: 'calculate', arguments: { expression: '1' } }] }] },
    { headersGate: models.gate() },
    { steps: [{ text: 'Fine' }] },
  );
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  const first = socket.run('prompt', { prompt: 'One' });
  await socket.find(({ data }) => data.payload?.text?.endsWith('sentence'));
  await socket.request('cancel');
  await first;
  // The second is cancelled between its tool call and the answer.
  const second = socket.run('prompt', { prompt: 'Two' });
  await models.received(3);
  await socket.request('cancel');
  await second;

  expect(await socket.run('prompt', { prompt: 'Three' })).toMatchObject({ status: 'completed' });
  const heard = models.requests.at(-1)?.body.messages;
  expect(heard?.map(({ role, content }) => [role, content])).toEqual([
    ['user', 'One'],
    ['assistant', 'Half a sentence'],
    ['user', 'Two'],
    ['assistant', null],
    ['tool', '{"value":1}'],
    ['user', 'Three'],
  ]);
});

test('a run that is cancelled before its engine is made never runs', async () => {
  const made = testGate();
  let first = true;
  let runs = 0;
  const apiFactory = new ExtensibleAPIFactory().registerEngine({
    type: 'Slow',
    description: 'Takes its time to be made',
    config: z.object({}),
    async create() {
      if (!first) await made.pass();
      first = false;
      return {
        async run() {
          runs++;
          return null;
        },
      };
    },
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'Slow' })));
  const result = socket.run('prompt', { prompt: 'Hi' });
  await made.reached;
  await socket.request('cancel');
  made.open();
  expect((await result).status).toBe('cancelled');
  await socket.request('ping');
  expect(runs).toBe(0);
});
