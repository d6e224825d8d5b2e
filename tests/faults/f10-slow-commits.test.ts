/** F10: a commit that is slow or fails: nobody is told anything before it has returned. */
import { randomUUID } from 'node:crypto';
import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import type { Write } from '../../packages/server/src/storage/types.ts';
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
  type Commit = () => ReturnType<typeof append>;
  const faults: {
    readonly kind: Write['kind'] | null;
    readonly commit: (commit: Commit) => ReturnType<Commit>;
  }[] = [];
  storage.append = (batch) => {
    const commit = () => append(batch);
    const kinds = new Set(batch.flatMap(({ writes = [] }) => writes.map(({ kind }) => kind)));
    const at = faults.findIndex(({ kind }) => kind === null || kinds.has(kind));
    const [fault] = at < 0 ? [] : faults.splice(at, 1);
    return fault ? fault.commit(commit) : commit();
  };
  /** The next commit, or the next with such a write, is held after the disk has it, and before it says so. */
  const holdNext = (kind: Write['kind'] | null = null) => {
    const gate = testGate();
    faults.push({
      kind,
      commit: async (commit) => {
        const outcomes = await commit();
        await gate.pass();
        return outcomes;
      },
    });
    return gate;
  };
  const failNext = (code: 'STORAGE_FULL' | 'UNAVAILABLE', kind: Write['kind'] | null = null) => {
    faults.push({ kind, commit: () => Promise.reject(new ApiError(code)) });
  };
  /** It is committed, and nobody hears so. */
  const loseNext = (kind: Write['kind']) => {
    faults.push({
      kind,
      commit: async (commit) => {
        await commit();
        throw new ApiError('UNAVAILABLE');
      },
    });
  };
  return { ...app, id, sender, watcher, stream, holdNext, failNext, loseNext };
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

test('F10: nobody hears that a run has ended before that is committed (P2, P6)', async () => {
  const { sender, watcher, stream, holdNext } = await start();
  const end = holdNext('finish_run');
  sender.send({ type: 'command', message_id: 1, data: prompt() });
  await end.reached;
  expect((await sender.request('ping')).type).toBe('pong');
  expect((await watcher.request('ping')).type).toBe('pong');
  expect(sender.frames.map(({ type }) => type)).not.toContain('command_result');
  for (const events of [sender.events, watcher.events, stream.events.map(({ data }) => data)]) {
    expect(events.map(({ event_type }) => event_type)).not.toContain('run_finished');
  }
  end.open();
  expect((await sender.findType('command_result')).data.status).toBe('completed');
  await watcher.findEvent('run_finished');
  await stream.findEvent('run_finished');
});

test.each(['start_run', 'finish_run'] as const)(
  'F10: a run goes on, ends once and is seen to end, when the answer to its %s is lost (P3, P6)',
  async (kind) => {
    const { sender, watcher, stream, loseNext } = await start();
    loseNext(kind);

    const result = await sender.run('prompt', { prompt: 'Hello' });

    expect(result).toMatchObject({ status: 'completed' });
    await watcher.findEvent('run_finished', result.run_id);
    await stream.findEvent('run_finished', result.run_id);
    const types = watcher.events.map(({ event_type }) => event_type);
    expect(types.filter((type) => type === 'run_started')).toHaveLength(1);
    expect(types.filter((type) => type === 'run_finished')).toHaveLength(1);
    const seqs = watcher.events.map(({ seq }) => seq as number);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  },
);

test('F10: a run whose commit fails in the middle fails, once, and the session goes on (P1, P6)', async () => {
  const { sender, watcher, failNext } = await start();
  failNext('UNAVAILABLE', 'checkpoint');
  failNext('UNAVAILABLE', 'finish_run');
  const { run_id, status, error } = await sender.run('prompt', { prompt: 'Hello' });
  expect([status, error.code]).toEqual(['failed', 'UNAVAILABLE']);
  const next = await sender.run('prompt', { prompt: 'Hello' });
  expect(next.status).toBe('completed');

  await watcher.findEvent('run_finished', next.run_id);
  const ofRun = watcher.events.filter((event) => event.run_id === run_id).map(({ event_type }) => event_type);
  expect(ofRun.filter((type) => type === 'run_finished')).toHaveLength(1);
  expect(ofRun.at(-1)).toBe('run_finished');
  const seqs = watcher.events.map(({ seq }) => seq as number);
  expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
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
