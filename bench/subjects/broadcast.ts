/** Control (d): bare `ws`. One frame is made as text once, and sent to all, in the rhythm that a client asks for. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

type Beat = readonly [at: number, length: number];

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
let seq = 0;

/** As an event of the server looks, and as long. */
function frameOf(eventType: string, length: number): Buffer {
  seq += 1;
  const frame = (text: string) =>
    JSON.stringify({
      type: 'event',
      data: { cursor: `1.${seq}`, seq, event_type: eventType, payload: { text }, created_at: new Date() },
    });
  return Buffer.from(frame('x'.repeat(Math.max(0, length - frame('').length))));
}

function broadcast(frame: Buffer): void {
  for (const client of server.clients) client.send(frame, { binary: false });
}

function play(rhythm: readonly Beat[]): void {
  const begin = performance.now();
  let next = 0;
  const step = () => {
    for (let beat = rhythm[next]; beat && beat[0] <= performance.now() - begin; beat = rhythm[next]) {
      next += 1;
      broadcast(frameOf(next === rhythm.length ? 'run_finished' : 'text_delta', beat[1]));
    }
    const beat = rhythm[next];
    if (beat) setTimeout(step, beat[0] - (performance.now() - begin));
  };
  step();
}

server.on('connection', (socket) => {
  socket.on('message', (data) => play((JSON.parse(String(data)) as { rhythm: readonly Beat[] }).rhythm));
});
server.on('listening', () => {
  process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('SIGTERM', () => process.exit(0));
