/** F10: a commit that is slow or fails: nobody is told anything before it has returned. */
import { randomUUID } from 'node:crypto';
import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** A server whose commits a test holds, or fails, one by one. */
async function start() {
  const app = await startApp();
  const id = await app.createSession({ engine_type: 'SinglePassEngine' });
  const [sender, watcher] = [await TestSocket.open(app.wsUrl(id)), await TestSocket.open(app.wsUrl(id))];
  await watcher.request('subscribe');
  const stream = await TestStream.open(`${app.url}/api/sessions/${id}/events`);
  const { storage } = app.app.services;
  const append = storage.append.bind(storage);
  const next: { before: (commit: () => Promise<unknown>) => Promise<unknown> }[] = [];
  storage.append = (async (batch: Parameters<typeof append>[0]) => {
    const commit = () => append(batch);
    return (await next.shift()?.before(commit)) ?? commit();
  }) as typeof storage.append;
  /** The next commit is held after the disk has it, and before it says so. */
  const holdNext = () => {
    const gate = testGate();
    next.push({
      before: async (commit) => {
        const outcomes = await commit();
        await gate.pass();
        return outcomes;
      },
    });
    return gate;
  };
  const failNext = (code: 'STORAGE_FULL' | 'UNAVAILABLE') => {
    next.push({ before: () => Promise.reject(new ApiError(code)) });
  };
  return { ...app, id, sender, watcher, stream, holdNext, failNext };
}

const prompt = () => ({ command: 'prompt', parameters: { prompt: 'Hello' }, run_id: randomUUID() });

test('F10: no reply and no event before the commit has returned (P2)', async () => {
  const { sender, watcher, stream, url, id, holdNext } = await start();
  const published = holdNext();
  sender.send({ type: 'event', message_id: 1, data: { event_type: 'custom:a' } });
  await published.reached;
  // Answers that need no commit pass it: had there been one to this, it would be here.
  expect((await sender.request('ping')).type).toBe('pong');
  expect((await watcher.request('ping')).type).toBe('pong');
  expect(sender.frames.map(({ type }) => type)).toEqual(['pong']);
  expect(watcher.events).toEqual([]);
  expect(stream.events).toEqual([]);
  published.open();
  await sender.findType('event_published');
  await watcher.findEvent('custom:a');
  await stream.findEvent('custom:a');

  const accepted = holdNext();
  const command = prompt();
  sender.send({ type: 'command', message_id: 2, data: command });
  await accepted.reached;
  const overRest = call('POST', `${url}/api/sessions/${id}/commands`, prompt(), { prefer: 'respond-async' });
  let answered = false;
  void overRest.then(() => {
    answered = true;
  });
  await sender.request('ping');
  expect(sender.frames.map(({ type }) => type)).not.toContain('command_accepted');
  expect(answered).toBe(false);
  expect(watcher.events.map(({ event_type }) => event_type)).toEqual(['custom:a']);
  accepted.open();
  expect((await sender.find(({ message_id }) => message_id === 2)).type).toBe('command_accepted');
  expect((await overRest).status).toBe(202);
  await watcher.findEvent('run_finished', command.run_id);
});

test.each([
  ['STORAGE_FULL', 507],
  ['UNAVAILABLE', 503],
] as const)(
  'F10: a commit that fails with %s is an error and no event, and the next one works (P2)',
  async (code, status) => {
    const { sender, watcher, url, id, failNext } = await start();
    failNext(code);
    const refused = await sender.request('event', { event_type: 'custom:a', event_id: 'one' });
    failNext(code);
    const command = prompt();
    const overRest = await call('POST', `${url}/api/sessions/${id}/commands`, command);

    expect(refused).toMatchObject({ type: 'error', data: { code } });
    expect(overRest).toMatchObject({ status, body: { code } });
    expect(watcher.events).toEqual([]);
    expect((await sender.request('event', { event_type: 'custom:a', event_id: 'one' })).type).toBe(
      'event_published',
    );
    expect((await call('POST', `${url}/api/sessions/${id}/commands`, command)).body.status).toBe('completed');
    await watcher.findEvent('run_finished', command.run_id);
    const seqs = watcher.events.map(({ seq }) => seq as number);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  },
);
