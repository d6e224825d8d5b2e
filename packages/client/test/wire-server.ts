import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';

/** A frame of a client. */
export interface Sent {
  readonly type: string;
  readonly message_id?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface WireServer {
  readonly url: string;
  /** What the clients have sent, in order, besides `hello` and `subscribe`. */
  readonly frames: Sent[];
  /** The sockets that were opened so far. */
  readonly sockets: WebSocket[];
  /** `subscribe` of each connection. */
  readonly subscriptions: Sent[];
}

export interface WireScript {
  /** What a frame is answered with: `data` by type, or nothing. */
  readonly answer?: (frame: Sent, socket: WebSocket) => void;
  /** A connection is subscribed; `n` counts from 1. */
  readonly subscribed?: (socket: WebSocket, n: number) => void;
  readonly http?: (request: IncomingMessage, response: ServerResponse) => void;
  /** The code with which a subscription is refused; null: it is not. */
  readonly refuses?: (subscribe: Sent) => string | null;
  /** Seconds, in such a refusal. */
  readonly retryAfter?: number;
  /** Where a subscription begins, and whether the client has lost its place. */
  readonly place?: (subscribe: Sent, n: number) => { cursor: string; resync_required: boolean };
}

const LIMITS = { max_message_size: 100_000 };
const START = { cursor: 'epoch0:0', resync_required: false };

/** A server that speaks the wire as the test says, with everything that a real one would never do at the right moment. */
export async function startWireServer(script: WireScript = {}): Promise<WireServer> {
  const http = createServer(
    script.http ??
      ((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')),
  );
  const sockets: WebSocket[] = [];
  const frames: Sent[] = [];
  const subscriptions: Sent[] = [];
  const wss = new WebSocketServer({ server: http, handleProtocols: () => 'llmgine.v1' });
  wss.on('connection', (socket) => {
    const n = sockets.push(socket);
    const reply = (type: string, { message_id }: Sent, data: object) =>
      socket.send(JSON.stringify({ type, message_id, data }));
    socket.on('message', (bytes, isBinary) => {
      if (isBinary) return;
      const frame = JSON.parse(String(bytes)) as Sent;
      if (frame.type === 'hello') reply('welcome', frame, { limits: LIMITS });
      else if (frame.type === 'subscribe') {
        subscriptions.push(frame);
        const code = script.refuses?.(frame);
        if (code) {
          reply('error', frame, { code, message: 'for a test', retry_after: script.retryAfter });
          return;
        }
        const after = frame.data.after as string | undefined;
        const place = script.place?.(frame, n) ?? (after ? { ...START, cursor: after } : START);
        reply('subscribed', frame, place);
        script.subscribed?.(socket, n);
      } else {
        frames.push(frame);
        if (script.answer) script.answer(frame, socket);
        else if (frame.type === 'ping') reply('pong', frame, {});
      }
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    for (const socket of wss.clients) socket.terminate();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, frames, sockets, subscriptions };
}

/** An event as it is on the wire. */
export function event(seq: number, event_type: string, payload: object = {}, more: object = {}): string {
  const data = {
    cursor: `epoch0:${seq}`,
    seq,
    event_type,
    payload,
    created_at: '2026-01-01T00:00:00.000Z',
    ...more,
  };
  return JSON.stringify({ type: 'event', data });
}
