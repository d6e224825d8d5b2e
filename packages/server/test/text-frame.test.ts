import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { textFrame } from '../src/text-frame.ts';

test.each([
  ['nothing', ''],
  ['the longest text with a short header', 'x'.repeat(125)],
  ['the shortest with a length of 16 bits', 'x'.repeat(126)],
  ['the longest with a length of 16 bits', 'x'.repeat(65_535)],
  ['the shortest with a length of 64 bits', 'x'.repeat(65_536)],
  ['text whose bytes are more than its characters', '€😀'.repeat(40)],
  ['half a character, as anybody who encodes it', '\ud83d'],
])('a client reads %s', async (_, text) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  server.on('connection', (_socket, request) => {
    request.socket.write(textFrame(text));
    request.socket.write(textFrame('and the next one'));
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => client.terminate());
  const seen: string[] = [];
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data, isBinary) => {
      seen.push(`${isBinary}:${data}`);
      if (seen.length === 2) resolve();
    });
  });
  expect(seen).toEqual([`false:${Buffer.from(text)}`, 'false:and the next one']);
});
