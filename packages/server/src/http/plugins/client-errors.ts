import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '@llmgine/protocol';
import type { Logger } from 'pino';
import { badRequest, HttpProblem } from '../problem.ts';
import { endWithProblem, newRequestId } from '../raw-problem.ts';
import { isMidAnswer } from '../unfinished-answers.ts';
import { isUploading } from '../uploads.ts';

const REQUEST_LINE = /^[A-Za-z-]{1,32} \S+ HTTP\/1\.[01]\r?\n/;
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

interface ParserError extends Error {
  readonly code?: string;
  /** What was being parsed: a `Buffer`, whatever the types of the framework say. */
  readonly rawPacket?: unknown;
}

/** What the HTTP parser refuses never reaches a route: it is answered here, on the bare socket. */
export function createClientErrorHandler(logger: Logger): {
  readonly onClientError: (error: ParserError, socket: Duplex) => void;
  /** Registers what the server itself would answer with an empty body, or not at all. */
  readonly attach: (server: Server) => void;
} {
  const refused = new WeakSet<Duplex>();

  function refuse(socket: Duplex, error: ApiError): void {
    // The parser reports each further packet again.
    if (refused.has(socket)) return;
    refused.add(socket);
    if (!socket.writable || isMidAnswer(socket)) {
      socket.destroy();
      return;
    }
    const requestId = newRequestId();
    logger.debug({ request_id: requestId, code: error.code }, error.message);
    endWithProblem(socket, error, '/', requestId);
  }

  return {
    onClientError(error, socket) {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUploading(socket)) return;
      if (error.code === 'ECONNRESET') socket.destroy();
      else refuse(socket, toProblem(error));
    },
    attach(server) {
      server.on('checkExpectation', (request: IncomingMessage) => {
        refuse(request.socket, badRequest('The expectation of the Expect header cannot be met', 417));
      });
      server.on('connect', (_request: IncomingMessage, socket: Duplex) => refuse(socket, methodNotAllowed()));
    },
  };
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
      if (Buffer.isBuffer(error.rawPacket) && REQUEST_LINE.test(error.rawPacket.toString('latin1'))) {
        return methodNotAllowed();
      }
  }
  return badRequest('The request is not valid HTTP');
}

function methodNotAllowed(): HttpProblem {
  return new HttpProblem('METHOD_NOT_ALLOWED', undefined, { headers: { allow: METHODS } });
}
