import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiError } from '@llmgine/protocol';
import { newRequestId, rawProblem } from './plugins/client-errors.ts';

/** Answers a request for a WebSocket with a problem, and closes. */
export function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: ApiError): void {
  const instance = (request.url ?? '/').split('?', 1)[0] ?? '/';
  socket.end(rawProblem(error, newRequestId(), instance));
}
