import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiError } from '@llmgine/protocol';
import { endWithProblem, newRequestId } from './raw-problem.ts';

/** Answers a request for an upgrade with a problem instead, and closes. */
export function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: ApiError): void {
  endWithProblem(socket, error, (request.url ?? '/').split('?', 1)[0] ?? '/', newRequestId());
}
