import type { Metrics } from '../../observability/metrics.ts';
import type { HttpApp } from '../types.ts';

/** One log line and one sample for each answered request. The line has the path alone: a query may hold what is secret. */
export function registerObservation(app: HttpApp, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const status = reply.statusCode;
    const streamed = String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
    metrics.httpRequest({
      route: request.is404 ? undefined : request.routeOptions.url,
      method,
      status,
      ...(streamed ? {} : { seconds: reply.elapsedTime / 1000 }),
    });
    const line = { method, path: request.url.split('?', 1)[0], status, ms: Math.round(reply.elapsedTime) };
    // Probes and scrapes come all the time; at info they would be most of the log.
    if (request.routeOptions.config.public === true) request.log.debug(line, 'request');
    else request.log.info(line, 'request');
  });
}
