/** Which sockets still owe answers: clients may send the next request before the answer to the last one is through. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const unfinished = new WeakMap<Duplex, Set<ServerResponse>>();

/** Keeps count of the answers of this server. Call it once, before it listens. */
export function trackAnswers(server: Server): void {
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const responses = unfinished.get(socket) ?? new Set();
    unfinished.set(socket, responses.add(response));
    response.once('close', () => responses.delete(response));
  });
}

/** Whether a request that came in earlier has no whole answer yet. */
export function owesAnswer(socket: Duplex): boolean {
  return (unfinished.get(socket)?.size ?? 0) > 0;
}

/** Whether an answer has begun and is not through: there is no place for other bytes. */
export function isMidAnswer(socket: Duplex): boolean {
  return [...(unfinished.get(socket) ?? [])].some((response) => response.headersSent);
}
