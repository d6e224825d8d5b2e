/** What a connection sees of the log, with a client that reads when the test says so. */
import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';
import { keyOf } from '../../src/sessions/service.ts';
import { EventStream } from '../../src/ws/event-stream.ts';

async function start() {
  const gate = testGate();
  const app = await startApp({ apiFactory: testEngine(() => gate.pass()) });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const key = keyOf(LOCAL_OPERATOR, id);
  const { services } = app.app;
  const written: string[] = [];
  const failures: unknown[] = [];
  const reader = { hasRoom: true };
  const stream = new EventStream(services, key, {
    get hasRoom() {
      return reader.hasRoom;
    },
    write: (frame) => {
      // Behind the header of a frame the payload is JSON.
      const text = String(frame);
      const { type, data } = JSON.parse(text.slice(text.indexOf('{"')));
      written.push(type === 'event' ? data.event_type : type);
    },
    cork: () => {},
    uncork: () => {},
    streamFailed: (error) => void failures.push(error),
    tooSlow: () => void failures.push('too slow'),
  });
  return {
    gate,
    services,
    key,
    stream,
    reader,
    written,
    failures,
    subscribe: async (after?: string, types?: string[]) => {
      const { start } = await stream.subscribe(after, types, new AbortController().signal);
      start();
    },
    /** Starts a run that waits at the gate, followed or not. */
    run: async (options: { visible?: boolean; runId?: string } = {}) => {
      const { runId = randomUUID(), visible = true } = options;
      const session = await services.sessions.get(LOCAL_OPERATOR, id);
      const body = { command: 'act', parameters: {}, run_id: runId, on_conflict: 'queue' as const };
      const { accepted } = await services.runs.start(session, body, (one, { attached }) =>
        stream.follow(one, { messageId: 1, visible, attached }),
      );
      return accepted;
    },
    publish: (name: string) => services.log.publish(key, { event_type: `custom:${name}`, payload: {} }),
  };
}

const count = (written: string[], type: string) => written.filter((one) => one === type).length;

test('a stream that is full takes no more, and goes on where it was', async () => {
  const { stream, subscribe, reader, written, publish } = await start();
  await subscribe();
  reader.hasRoom = false;
  await publish('a');
  await publish('b');
  await publish('c');
  expect(written).toEqual(['custom:a']);
  reader.hasRoom = true;
  stream.resume();
  await publish('d');
  await vi.waitFor(() => expect(written).toEqual(['custom:a', 'custom:b', 'custom:c', 'custom:d']));
});

test('the cursor is where the reader is, not where the log is', async () => {
  const { stream, subscribe, reader, publish } = await start();
  expect(stream.cursor).toBeNull();
  await subscribe();
  reader.hasRoom = false;
  const { cursor } = await publish('a');
  await publish('b');
  expect(stream.cursor).toBe(cursor);
});

test('a result does not come before the end of its run, however slow the reader', async () => {
  const { gate, stream, reader, written, run, services, key } = await start();
  reader.hasRoom = false;
  const accepted = await run();
  gate.open();
  await services.runs.result(key, accepted.run_id);
  // The same command once more, after its end and before the reader has seen it.
  await run({ runId: accepted.run_id });
  expect(count(written, 'command_result')).toBe(0);
  reader.hasRoom = true;
  stream.resume();
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(2));
  expect(written.slice(-3)).toEqual(['run_finished', 'command_result', 'command_result']);
});

test('a result waits for room behind the end of its run, and nothing passes it', async () => {
  const { gate, stream, reader, written, run, services, key, publish } = await start();
  reader.hasRoom = false;
  const accepted = await run();
  gate.open();
  await services.runs.result(key, accepted.run_id);
  await publish('later');
  // One event each time, as long as there is no room for a second one.
  await vi.waitFor(() => {
    if (written.at(-1) !== 'run_finished') stream.resume();
    expect(written.at(-1)).toBe('run_finished');
  });
  stream.resume();
  stream.resume();
  expect(written.at(-1)).toBe('run_finished');

  reader.hasRoom = true;
  stream.resume();

  await vi.waitFor(() => expect(written.at(-1)).toBe('custom:later'));
  expect(written.slice(-3)).toEqual(['run_finished', 'command_result', 'custom:later']);
});

test('a result comes although the subscription that would have seen the end was replaced', async () => {
  const { gate, reader, written, run, services, key, subscribe, publish } = await start();
  reader.hasRoom = false;
  const accepted = await run();
  gate.open();
  await services.runs.result(key, accepted.run_id);
  reader.hasRoom = true;
  await subscribe();
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(1));
  await publish('later');
  await vi.waitFor(() => expect(written.at(-1)).toBe('custom:later'));
  expect(count(written, 'run_finished')).toBe(0);
  expect(count(written, 'command_result')).toBe(1);
});

test('an attached run that has ended is answered at once where the reader is up to date', async () => {
  const { gate, written, run, services, key, subscribe } = await start();
  await subscribe();
  const accepted = await run();
  gate.open();
  await services.runs.result(key, accepted.run_id);
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(1));
  await run({ runId: accepted.run_id });
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(2));
  expect(count(written, 'run_finished')).toBe(1);
});

test('to attach costs the same however many results are owed', async () => {
  const { run, services, reader, stream, subscribe, publish } = await start();
  await subscribe();
  const runIds = Array.from({ length: 20 }, () => randomUUID());
  for (const runId of runIds) await run({ runId });
  const reads = vi.spyOn(services.storage, 'getRun');
  for (const runId of runIds) await run({ runId });
  // To attach, and for a result that may have passed.
  expect(reads).toHaveBeenCalledTimes(2 * runIds.length);

  // A reader that lags asks when it is up to date, for those that it attached to meanwhile.
  reads.mockClear();
  reader.hasRoom = false;
  await publish('a');
  for (const runId of runIds.slice(0, 5)) await run({ runId });
  reader.hasRoom = true;
  stream.resume();
  await vi.waitFor(() => expect(reads).toHaveBeenCalledTimes(2 * 5));
});

test('a filter does not hide the run of a streamed command, and nothing else shows with it', async () => {
  const { gate, written, run, subscribe, publish } = await start();
  await subscribe(undefined, ['custom:a']);
  await run({ visible: false });
  await run();
  await publish('a');
  await publish('b');
  gate.open();
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(2));
  expect(written).toEqual([
    'run_queued',
    'custom:a',
    'command_result',
    'run_started',
    'run_finished',
    'command_result',
  ]);
});

test('a filter that comes after a streamed command holds for its run too', async () => {
  const { gate, written, run, subscribe, publish } = await start();
  await run();
  await gate.reached;
  await subscribe(undefined, ['custom:a']);
  written.length = 0;
  gate.open();
  await publish('a');
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(1));
  expect(written.toSorted()).toEqual(['command_result', 'custom:a']);
});

test('a hidden reader that lags does not show what came before the cursor of a streamed command', async () => {
  const { gate, stream, reader, written, run, publish } = await start();
  reader.hasRoom = false;
  await run({ visible: false });
  await publish('before');
  reader.hasRoom = true;
  await run();
  stream.resume();
  gate.open();
  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(2));
  expect(written).not.toContain('custom:before');
  expect(written[0]).toBe('run_queued');
});

test('a stream that is closed takes no subscription, however late it comes', async () => {
  const { stream, services, run, publish, written } = await start();
  const gate = testGate();
  const read = services.storage.readEvents.bind(services.storage);
  services.storage.readEvents = async (...parameters) => {
    await gate.pass();
    return read(...parameters);
  };
  const late = stream.subscribe(undefined, undefined, new AbortController().signal);
  await gate.reached;
  stream.close();
  gate.open();
  await expect(late).rejects.toThrow('closed');
  await run();
  await publish('a');
  expect(written).toEqual([]);
  expect(stream.cursor).toBeNull();
});

test('a log that cannot be read ends the stream with the reason', async () => {
  const { stream, services, subscribe, reader, failures, publish } = await start();
  await subscribe();
  reader.hasRoom = false;
  await publish('a');
  await publish('b');
  const broken = new Error('the disk is gone');
  services.storage.readEvents = () => Promise.reject(broken);
  stream.resume();
  await vi.waitFor(() => expect(failures).toEqual([broken]));
});

/** Removes all events until now that may go. */
const prune = (services: Awaited<ReturnType<typeof start>>['services']) =>
  services.storage.pruneEvents(Date.now() + 1, 10_000);

test('a reader whose next event is gone has to resume, because nothing is skipped silently', async () => {
  const { stream, services, subscribe, reader, written, failures, publish } = await start();
  await subscribe();
  reader.hasRoom = false;
  await publish('a');
  await publish('b');
  await prune(services);
  reader.hasRoom = true;
  stream.resume();
  await vi.waitFor(() => expect(failures).toEqual(['too slow']));
  expect(written).toEqual(['custom:a']);
});

test('a command whose run is older than what is kept gets its result again, and no events', async () => {
  const { gate, services, key, run, written, failures, publish, stream } = await start();
  gate.open();
  const { run_id: runId } = await run({ visible: false });
  await services.runs.result(key, runId);
  await vi.waitFor(() => expect(written).toEqual(['command_result']));
  await publish('a');
  await prune(services);
  await publish('b');

  await run({ runId });

  await vi.waitFor(() => expect(written).toEqual(['command_result', 'command_result']));
  // As after a command that is not streamed: the connection follows nothing.
  await publish('c');
  expect([written.length, stream.cursor, failures]).toEqual([2, null, []]);
});

test('a new command right after such an old one is streamed as ever', async () => {
  const { gate, services, key, run, written, failures } = await start();
  gate.open();
  const { run_id: runId } = await run({ visible: false });
  await services.runs.result(key, runId);
  await vi.waitFor(() => expect(written).toEqual(['command_result']));
  await prune(services);
  written.length = 0;
  const { readEvents } = services.storage;
  const reading = testGate();
  vi.spyOn(services.storage, 'readEvents').mockImplementationOnce(async (...parameters) => {
    await reading.pass();
    return readEvents.apply(services.storage, parameters);
  });

  await run({ runId });
  await reading.reached;
  await run();
  reading.open();

  await vi.waitFor(() => expect(count(written, 'command_result')).toBe(2));
  await vi.waitFor(() => expect(written).toContain('run_finished'));
  expect(written.filter((type) => type !== 'command_result')).toEqual([
    'run_queued',
    'run_started',
    'run_finished',
  ]);
  expect(failures).toEqual([]);
});
