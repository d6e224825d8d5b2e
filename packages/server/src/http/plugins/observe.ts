import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../../observability/metrics.ts';
import type { ClientAddress } from '../../security/client-address.ts';
import type { HttpApp } from '../types.ts';

/** What the log says of a request whose client hung up before it was answered. */
const CLIENT_GONE = 499;

/**
 * One log line and one sample for each request, at its end: when it was answered, or when the client hung up, which
 * Fastify's own `onResponse` does not tell.
 */
export function registerObservation(app: HttpApp, metrics: Metrics, clientAddress: ClientAddress): void {
  app.addHook('onRequest', async (request, reply) => {
    // At the end the socket may be gone.
    const client = clientAddress(request.raw);
    reply.raw.once('close', () => observe(request, reply, metrics, client));
  });
}

function observe(request: FastifyRequest, reply: FastifyReply, metrics: Metrics, client: string): void {
  const { method } = request;
  const status = reply.raw.headersSent ? reply.raw.statusCode : CLIENT_GONE;
  const streamed = String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
  metrics.httpRequest({
    route: request.is404 ? undefined : request.routeOptions.url,
    method,
    status,
    ...(streamed ? {} : { seconds: reply.elapsedTime / 1000 }),
  });
  // The path alone: a query may hold what is secret.
  const path = request.url.split('?', 1)[0];
  const line = { method, path, status, client, ms: Math.round(reply.elapsedTime) };
  // Probes come all the time; at info they would be most of the log.
  if (request.routeOptions.config.public === true) request.log.debug(line, 'request');
  else request.log.info(line, 'request');
}
