/** Control (a): bare `ws` that parses a frame and sends one back. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => {
  socket.on('message', (data) => {
    const { message_id, data: body } = JSON.parse(String(data)) as {
      readonly message_id: number;
      readonly data: { readonly timestamp?: string };
    };
    const answer = { timestamp: body.timestamp, server_timestamp: new Date().toISOString() };
    socket.send(JSON.stringify({ type: 'pong', message_id, data: answer }));
  });
});
server.on('listening', () => {
  process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('SIGTERM', () => process.exit(0));
