import { ApiError } from '@llmgine/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { APIConfig } from '../../config.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { PROBLEM_MEDIA_TYPE, problemBody, problemHeaders, problemStatus, toApiError } from '../problem.ts';
import type { HttpApp } from '../types.ts';

/** Everything that goes wrong is answered as a problem; what nobody expected is logged with its request id. */
export function registerProblems(
  app: HttpApp,
  config: APIConfig,
  metrics: Metrics,
  onError: (request: FastifyRequest, error: ApiError) => void,
): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = toApiError(thrown);
    // Also when nobody is left to tell: who hangs up early is not let off.
    onError(request, error);
    if (reply.raw.destroyed) {
      // Nobody is left to tell; what was thrown is most often that very fact.
      request.log.debug({ err: thrown }, 'the client is gone');
      reply.send();
      return;
    }
    if (error.code === 'INTERNAL_ERROR') {
      request.log.error({ err: error.cause ?? error }, 'request failed');
    } else if (problemStatus(error) >= 500) {
      const { code, message, cause } = error;
      // A stack belongs to what nobody expected; that the server stops, or is full, is told by its words.
      const unexpected = cause === undefined || cause instanceof ApiError ? {} : { err: cause };
      request.log.warn({ code, detail: message, ...unexpected }, 'request failed');
    }
    metrics.error(error.code);
    sendProblem(request, reply, error, error.errors ? undefined : config.details(error.cause));
  });
}

/** Also for what goes wrong before a route is found, where no error handler is called. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  error: ApiError,
  details: string | undefined,
): void {
  const instance = request.url.split('?', 1)[0] ?? '/';
  const body = problemBody(error, { instance, requestId: request.id, details });
  reply
    .code(body.status)
    .headers(problemHeaders(error))
    .type(PROBLEM_MEDIA_TYPE)
    // As text: it must not depend on what the schema of the route says about the status.
    .send(JSON.stringify(body));
}
