import type { FastifyReply, FastifyRequest } from 'fastify';
import { badRequest } from '../problem.ts';
import type { HttpApp } from '../types.ts';

/** What every answer carries. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  reply.header('cache-control', 'no-store');
  reply.header('x-content-type-options', 'nosniff');
}

/** First in line, so that errors carry the headers too; and a check of what every request has to carry. */
export function registerHeaders(app: HttpApp): void {
  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(request, reply);
    if (!hasOneHost(request.raw.rawHeaders) && request.raw.httpVersion !== '1.0') {
      throw badRequest('A request has exactly one Host header');
    }
  });
}

/** RFC 9112 section 3.2. Node's own check answers without a body, and takes the first of several. */
function hasOneHost(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() === 'host') hosts++;
  }
  return hosts === 1;
}
