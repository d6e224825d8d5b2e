import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '@llmgine/protocol';
import type { Logger } from 'pino';
import { badRequest, HttpProblem, PROBLEM_MEDIA_TYPE, problemBody, problemHeaders } from '../problem.ts';

/** How long a peer that was refused may take to read why. */
const LINGER_MS = 1000;
const REQUEST_LINE = /^[A-Za-z-]{1,32} \S+ HTTP\/1\.[01]\r?\n/;
const METHODS = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';

interface ParserError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

/** What the HTTP parser refuses never reaches a route: it is answered here, on the bare socket. */
export function createClientErrorHandler(logger: Logger): {
  readonly onClientError: (error: ParserError, socket: Duplex) => void;
  /** Registers what the server itself would answer with an empty body, or not at all. */
  readonly attach: (server: Server) => void;
} {
  const responses = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();

  function refuse(socket: Duplex, error: ApiError): void {
    const response = responses.get(socket);
    // The parser reports each further packet again; and in the middle of an answer there is no place for another one.
    if (refused.has(socket) || !socket.writable || (response?.headersSent && !response.writableFinished)) {
      if (!refused.has(socket)) socket.destroy();
      return;
    }
    refused.add(socket);
    const requestId = newRequestId();
    logger.debug({ request_id: requestId, code: error.code }, error.message);
    socket.end(rawProblem(error, requestId));
    // Closing at once, with data of the peer still unread, would reset the connection before it can read the answer.
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', () => socket.destroy());
  }

  return {
    onClientError(error, socket) {
      if (error.code === 'ECONNRESET') socket.destroy();
      else refuse(socket, toProblem(error));
    },
    attach(server) {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        responses.set(request.socket, response);
      });
      server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
        const error = badRequest('The expectation of the Expect header cannot be met', 417);
        const body = JSON.stringify(problemBody(error, { instance: '/', requestId: newRequestId() }));
        response
          .writeHead(417, { 'content-type': PROBLEM_MEDIA_TYPE, 'cache-control': 'no-store' })
          .end(body);
      });
      server.on('connect', (_request: IncomingMessage, socket: Duplex) => refuse(socket, methodNotAllowed()));
    },
  };
}

export function newRequestId(): string {
  return `req_${randomBytes(12).toString('base64url')}`;
}

function toProblem(error: ParserError): ApiError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('HEADERS_TOO_LARGE');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new ApiError('MESSAGE_TOO_LARGE');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return badRequest('The request did not arrive in time', 408);
    case 'HPE_INVALID_METHOD':
      // A request line with a method that HTTP does not know; anything else is not HTTP at all.
      if (REQUEST_LINE.test(error.rawPacket?.toString('latin1') ?? '')) return methodNotAllowed();
  }
  return badRequest('The request is not valid HTTP');
}

function methodNotAllowed(): HttpProblem {
  return new HttpProblem('METHOD_NOT_ALLOWED', undefined, { headers: { allow: METHODS } });
}

/** A whole response with a problem, for sockets that no route answers. */
export function rawProblem(error: ApiError, requestId: string, instance = '/'): string {
  const problem = problemBody(error, { instance, requestId });
  const body = JSON.stringify(problem);
  const headers = {
    connection: 'close',
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...problemHeaders(error),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}
