import type { HttpApp } from '../types.ts';

/**
 * Bodies are JSON only: a form or plain text is what a foreign page could send without asking. An empty body is no body,
 * even where a client declares JSON out of habit; keys that would reach a prototype are dropped like any unknown field.
 */
export function registerBodies(app: HttpApp): void {
  const parse = app.getDefaultJsonParser('remove', 'remove');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}
