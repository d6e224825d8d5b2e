import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiError } from '@llmgine/protocol';
import { HttpProblem } from './problem.ts';
import { endWithProblem, newRequestId } from './raw-problem.ts';

/**
 * Answers a request for an upgrade with a problem instead, and closes. `answer` wins over what the code says. Returns the
 * id that the answer gives the request.
 */
export function refuseUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  error: ApiError,
  answer?: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
): string {
  const problem = answer ? new HttpProblem(error.code, error.message, answer) : error;
  const requestId = newRequestId();
  endWithProblem(socket, problem, (request.url ?? '/').split('?', 1)[0] ?? '/', requestId);
  return requestId;
}
