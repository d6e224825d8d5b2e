import type { FastifyReply, FastifyRequest } from 'fastify';
import type { APIConfig } from '../../config.ts';
import { COMMON_HEADERS } from '../common-headers.ts';
import { badRequest } from '../problem.ts';
import { createTlsCheck } from '../secure-transport.ts';
import type { HttpApp } from '../types.ts';

/** What every answer carries. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  reply.headers(COMMON_HEADERS);
}

/**
 * First in line, so that errors carry the headers too; and a check of what every request has to carry. Who came by HTTPS
 * comes by it for the next year.
 */
export function registerHeaders(app: HttpApp, config: APIConfig): void {
  const cameByTls = createTlsCheck(config.values.trustedProxies);
  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(request, reply);
    if (cameByTls(request.raw)) reply.header('strict-transport-security', 'max-age=31536000');
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
