import { badRequest } from '../problem.ts';
import type { HttpApp } from '../types.ts';

/** What every answer carries, and what every request has to. First in line, so that errors carry it too. */
export function registerHeaders(app: HttpApp): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('cache-control', 'no-store');
    reply.header('x-content-type-options', 'nosniff');
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
