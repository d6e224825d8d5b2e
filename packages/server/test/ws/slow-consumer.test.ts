/** Clients that do not read, or read slowly: what becomes of them, of the server's memory, and of the others. */
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { type StartOptions, startApp } from '../../../../tests/helpers/app.ts';
import { say, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from '../extensibility/log-lines.ts';
import { message, OPCODES, RawSocket } from './raw-socket.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A run that streams so many pieces, each of a text of its own. */
function streaming(pieces: number, size: number) {
  const text = (n: number) => `${n}:`.padEnd(size, '.');
  const apiFactory = testEngine(async (context) => {
    say(context, 'm');
    for (let n = 0; n < pieces; n++) {
      const payload = { message_id: 'm', text: text(n) };
      if (!context.emit({ event_type: 'text_delta', payload })) await context.drain();
    }
    return null;
  });
  return { apiFactory, whole: Array.from({ length: pieces }, (_, n) => text(n)).join('') };
}

async function start(options: StartOptions) {
  const logs = logLines();
  const app = await startApp({ ...options, logger: logs.logger as Logger });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  return { ...app, id, logs, wsUrl: app.wsUrl(id) };
}

/** The events of a connection: in order, without a gap, and their text. */
function textOf(events: TestSocket['events']): string {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => events[0].seq + n));
  return events.map(({ event_type, payload }) => (event_type === 'text_delta' ? payload.text : '')).join('');
}

test('a client that stops reading is closed with 4009 and resumes without a gap; the others notice nothing', async () => {
  const { apiFactory, whole } = streaming(256, 64 * KIB);
  const { wsUrl, logs, app } = await start({ apiFactory, config: { websocketStallTimeout: 0.3 } });
  const [paused, other] = [await TestSocket.open(wsUrl), await TestSocket.open(wsUrl)];
  await paused.request('subscribe');
  await other.request('subscribe');
  paused.ws.pause();

  await other.run('prompt', { prompt: 'go' });
  expect(textOf(other.events)).toBe(whole);

  // What the server holds for it is one piece more than fits, not the whole of what it has missed.
  const { unsent } = await logs.find(({ msg }) => msg === 'the client reads too slowly');
  expect(unsent).toBeLessThan(256 * KIB);
  await expect.poll(() => app.messaging.connections(), { interval: 5 }).toHaveLength(1);
  expect(await app.services.metrics.text()).toContain('llmgine_websocket_closes_total{code="4009"} 1');

  paused.ws.resume();
  await paused.closed;
  const seen = paused.events;
  expect(seen.length).toBeLessThan(other.events.length);
  const again = await TestSocket.open(wsUrl);
  expect((await again.request('subscribe', { after: seen.at(-1).cursor })).data.resync_required).toBe(false);
  await again.findEvent('run_finished');
  expect(textOf([...seen, ...again.events])).toBe(whole);
});

test('a client that asks and does not read is closed with 4009 at the limit, whatever the time', async () => {
  const { apiFactory } = streaming(1, 1);
  const { wsUrl, logs } = await start({ apiFactory, config: { websocketStallTimeout: 3600 } });
  const setUp = await TestSocket.open(wsUrl);
  await setUp.run('prompt', { prompt: 'x'.repeat(400 * KIB) });
  await setUp.close();
  const raw = await RawSocket.open(wsUrl);
  raw.socket.pause();
  raw.write(Buffer.concat(Array.from({ length: 100 }, () => message('history'))));
  const { unsent } = await logs.find(({ msg }) => msg === 'the client reads too slowly');
  expect(unsent).toBeGreaterThan(MIB);
  expect(unsent).toBeLessThan(MIB + 500 * KIB);
  // Once it reads again it is told.
  raw.socket.resume();
  for (;;) {
    const { opcode, payload } = await raw.frame();
    if (opcode === OPCODES.text) continue;
    expect({ opcode, code: payload.readUInt16BE(0) }).toEqual({ opcode: OPCODES.close, code: 4009 });
    break;
  }
});

test('one frame beyond the limit reaches a client that reads', async () => {
  const { apiFactory, whole } = streaming(1, 5 * MIB);
  const { wsUrl } = await start({ apiFactory });
  const socket = await TestSocket.open(wsUrl);
  await socket.run('prompt', { prompt: 'go' });
  expect(textOf(socket.events)).toBe(whole);
  expect((await socket.request('ping')).type).toBe('pong');
});

test('a slow client that keeps reading gets every event in order, with a buffer of any size', async () => {
  const { apiFactory, whole } = streaming(512, 48 * KIB);
  const { wsUrl } = await start({
    apiFactory,
    config: { websocketMaxBuffer: 16_384, websocketStallTimeout: 0.5 },
  });
  const slow = await RawSocket.open(wsUrl);
  slow.socket.on('data', () => {
    slow.socket.pause();
    setImmediate(() => slow.socket.resume());
  });
  slow.write(message('command', { command: 'prompt', parameters: { prompt: 'go' } }));
  const events: TestSocket['events'] = [];
  for (;;) {
    const { type, data } = await slow.json();
    if (type === 'event') events.push(data);
    else if (type === 'command_result') break;
  }
  expect(textOf(events)).toBe(whole);
});

test('a client that takes longer than the stall over one frame has not stalled', async () => {
  const { apiFactory } = streaming(1, 32 * MIB);
  const { wsUrl } = await start({ apiFactory, config: { websocketStallTimeout: 0.5 } });
  const slow = await RawSocket.open(wsUrl);
  let bytes = 0;
  const began = performance.now();
  const all = new Promise<void>((resolve) => {
    slow.socket.removeAllListeners('data');
    slow.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > 32 * MIB) resolve();
      slow.socket.pause();
      // A link of so many bytes a second, where the frame takes three times as long as a stall may.
      const due = (bytes / (32 * MIB)) * 1500 - (performance.now() - began);
      setTimeout(() => slow.socket.resume(), Math.max(0, due));
    });
  });
  slow.write(message('command', { command: 'prompt', parameters: { prompt: 'go' } }));
  await Promise.race([all, slow.ended.then(() => expect.unreachable(`closed after ${bytes} bytes`))]);
});

test('what it does not read does not keep a client from being heard', async () => {
  const gate = testGate();
  const apiFactory = testEngine(async (context) => {
    say(context, 'm', ...Array.from({ length: 64 }, () => '.'.repeat(256 * KIB)));
    await gate.pass();
    return null;
  });
  const { wsUrl } = await start({ apiFactory, config: { websocketStallTimeout: 3600 } });
  const [paused, other] = [await RawSocket.open(wsUrl), await TestSocket.open(wsUrl)];
  await other.request('subscribe');
  paused.socket.pause();
  paused.write(message('command', { command: 'prompt', parameters: { prompt: 'go' } }));
  await gate.reached;
  paused.write(message('cancel'));
  expect((await other.findEvent('run_finished')).data.payload.status).toBe('cancelled');
});
