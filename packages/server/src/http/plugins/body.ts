import type { IncomingHttpHeaders } from 'node:http';
import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i;

/**
 * Bodies are JSON only: a form or plain text is what a foreign page could send without asking. An empty body is no body,
 * even where a client declares JSON out of habit; keys that would reach a prototype are dropped like any unknown field.
 */
export function registerBodies(app: HttpApp): void {
  const parse = app.getDefaultJsonParser('remove', 'remove');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    const foreign = foreignEncoding(request.headers);
    if (body === '') done(null, undefined);
    else if (foreign) done(foreign, undefined);
    else void parse(request, body, done);
  });
}

/** Bodies are not unpacked: a small one could become a huge one. */
export function foreignCoding(headers: IncomingHttpHeaders): HttpProblem | undefined {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity') {
    return new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'The body must not be compressed', {
      headers: { 'accept-encoding': 'identity' },
    });
  }
  return undefined;
}

/** JSON on the wire is UTF-8 (RFC 8259). */
function foreignEncoding(headers: IncomingHttpHeaders): HttpProblem | undefined {
  const foreign = foreignCoding(headers);
  if (foreign) return foreign;
  const charset = CHARSET.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (/^(?:utf-?8|us-ascii)$/i.test(charset)) return undefined;
  return new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'The body must be encoded in UTF-8');
}
