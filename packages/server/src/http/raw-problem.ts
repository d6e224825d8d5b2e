/** Problems where there is no Fastify reply: on the bare socket. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiError } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import { COMMON_HEADERS } from './common-headers.ts';
import { PROBLEM_MEDIA_TYPE, problemBody, problemHeaders } from './problem.ts';

/** How long a peer that was refused may take to read why. */
const LINGER_MS = 1000;

export function newRequestId(): string {
  return `req_${nanoid(16)}`;
}

/** Answers on a socket that is no longer, or was never, in the hands of the HTTP server, and closes it. */
export function endWithProblem(socket: Duplex, error: ApiError, instance: string, requestId: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(response(error, instance, requestId));
  // Closing at once, with data of the peer still unread, would reset the connection before it can read the answer.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function response(error: ApiError, instance: string, requestId: string): string {
  const problem = problemBody(error, { instance, requestId });
  const body = JSON.stringify(problem);
  const headers: Record<string, string | string[]> = {
    connection: 'close',
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    ...COMMON_HEADERS,
    'x-request-id': requestId,
    ...problemHeaders(error),
  };
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}`),
  );
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}
