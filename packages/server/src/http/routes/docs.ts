import swaggerUi from '@fastify/swagger-ui';
import { ApiError } from '@llmgine/protocol';
import type { FastifyReply } from 'fastify';
import type { Services } from '../../services.ts';
import { asyncApiDocument } from '../asyncapi.ts';
import { REFERENCE_CSS, REFERENCE_JS } from '../docs/assets.ts';
import { type AsyncApiView, type OpenApiView, renderReference } from '../docs/page.ts';
import type { HttpApp } from '../types.ts';

/** Nothing from elsewhere; Swagger UI sets styles on its elements and has its icons inline. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `/openapi.json`, `/asyncapi.json`, and `/docs`: one page for both. All of it works without a network. */
export async function registerDocs(app: HttpApp, services: Services): Promise<void> {
  await app.register(async (docs: HttpApp) => {
    docs.decorate('defaultPermission', 'info:read');
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, browsable: true };
    });
    await registerPages(docs, services);
  });
}

async function registerPages(app: HttpApp, services: Services): Promise<void> {
  // Made once, when somebody asks: all routes and message types are there then.
  const openapi = once(() => app.swagger());
  const asyncapi = once(() => asyncApiDocument(services.config, services.messages));
  const openapiText = once(() => JSON.stringify(openapi()));
  const asyncapiText = once(() => JSON.stringify(asyncapi()));
  const page = once(() =>
    renderReference(openapi() as OpenApiView, asyncapi() as AsyncApiView, services.engines.describe()),
  );

  const hidden = { schema: { hide: true } };
  const json = 'application/json; charset=utf-8';
  app.get('/openapi.json', hidden, async (_request, reply) => send(reply, json, openapiText()));
  app.get('/asyncapi.json', hidden, async (_request, reply) => send(reply, json, asyncapiText()));
  app.get('/docs', hidden, async (_request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    return send(reply, 'text/html; charset=utf-8', page());
  });
  app.get('/docs/reference.css', hidden, async (_request, reply) =>
    send(reply, 'text/css; charset=utf-8', REFERENCE_CSS),
  );
  app.get('/docs/reference.js', hidden, async (_request, reply) =>
    send(reply, 'text/javascript; charset=utf-8', REFERENCE_JS),
  );
  await app.register(swaggerUi, {
    routePrefix: '/docs/swagger',
    staticCSP: CONTENT_SECURITY_POLICY,
    // Only its script and its style are used: the pages of its own are no second reference.
    uiHooks: { onRequest: (_request, _reply, done) => done(new ApiError('NOT_FOUND')) },
  });
}

function send(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply.type(type).send(text);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
