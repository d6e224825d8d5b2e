import type { Services } from '../../services.ts';
import { asyncApiDocument } from '../asyncapi.ts';
import type { HttpApp } from '../types.ts';

/** `/openapi.json` and `/asyncapi.json`, made once, when somebody asks: all routes and message types are there then. */
export function registerApiDocuments(app: HttpApp, services: Services): void {
  let openapi: string | undefined;
  let asyncapi: string | undefined;

  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    openapi ??= JSON.stringify(app.swagger());
    return reply.type('application/json; charset=utf-8').send(openapi);
  });
  app.get('/asyncapi.json', { schema: { hide: true } }, async (_request, reply) => {
    asyncapi ??= JSON.stringify(asyncApiDocument(services.config, services.messages));
    return reply.type('application/json; charset=utf-8').send(asyncapi);
  });
}
