import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { frame, message, OPCODES, RawSocket } from './raw-socket.ts';

const { ping, pong, text } = OPCODES;

test('a peer that answers no ping is let go after two of them and a last chance', async () => {
  const app = await startApp({ config: { websocketHeartbeat: 0.05 } });
  const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
  expect((await raw.frame()).opcode).toBe(ping);
  expect((await raw.frame()).opcode).toBe(ping);
  await raw.ended;
  expect(raw.unread).toHaveLength(0);
  await expect.poll(() => app.app.messaging.connections(), { interval: 5 }).toHaveLength(0);
});

test('a peer that answers stays, and so does one that only sends', async () => {
  const app = await startApp({ config: { websocketHeartbeat: 0.2 } });
  const url = app.wsUrl(await app.createSession());
  const [answering, talking] = [await RawSocket.open(url), await RawSocket.open(url)];
  const large = frame(text, JSON.stringify({ type: 'ping', data: { timestamp: 'x'.repeat(50) } }));
  for (let beat = 0; beat < 4; beat++) {
    expect((await answering.frame()).opcode).toBe(ping);
    answering.write(frame(pong));
    expect((await talking.frame()).opcode).toBe(ping);
    // A piece of a message: nothing to answer yet, but somebody is there.
    talking.write(large.subarray(beat, beat + 1));
  }
  talking.write(large.subarray(4));
  for (;;) {
    const { opcode, payload } = await talking.frame();
    if (opcode === ping) continue;
    expect(JSON.parse(payload.toString()).type).toBe('pong');
    break;
  }
  expect(app.app.messaging.connections()).toHaveLength(2);
});

test('a peer whose frames are not read is not called silent', async () => {
  const gate = testGate();
  const app = await startApp({
    config: { websocketHeartbeat: 0.05 },
    apiFactory: testEngine(() => null),
  });
  const { sessions } = app.app.services;
  const load = sessions.get.bind(sessions);
  sessions.get = async (...parameters) => {
    await gate.pass();
    return load(...parameters);
  };
  const url = app.wsUrl(await app.createSession());
  const [busy, silent] = [await RawSocket.open(url), await RawSocket.open(url)];
  // So many wait that the socket is not read: its pongs are not heard.
  busy.write(Buffer.concat(Array.from({ length: 100 }, (_, n) => message('status', {}, String(n)))));
  await gate.reached;
  await silent.ended;
  gate.open();
  const answered = new Set<string>();
  while (answered.size < 100) {
    const { opcode, payload } = await busy.frame();
    if (opcode === ping) busy.write(frame(pong, payload));
    else answered.add(JSON.parse(payload.toString()).message_id);
  }
});

test('an idle client of the library stays connected through many beats', async () => {
  const app = await startApp({ config: { websocketHeartbeat: 0.2 } });
  const socket = await TestSocket.open(app.wsUrl(await app.createSession()));
  let beats = 0;
  await new Promise<void>((resolve) => socket.ws.on('ping', () => ++beats === 4 && resolve()));
  expect((await socket.request('ping')).type).toBe('pong');
});
