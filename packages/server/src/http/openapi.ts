/** OpenAPI 3.1, made from the schemas that the routes validate with. */
import swagger from '@fastify/swagger';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  type jsonSchemaTransformObject,
} from 'fastify-type-provider-zod';
import type { APIConfig } from '../config.ts';
import { COOKIE_NAME, CSRF_HEADER } from '../security/browser-sessions/cookie.ts';
import { simplify } from './json-schema.ts';
import { tidyDocument } from './openapi-tidy.ts';
import type { HttpApp } from './types.ts';

type TransformObject = typeof jsonSchemaTransformObject;

const DESCRIPTION = `Sessions with LLM engines: create one, link an engine, give it commands and follow what happens.
The same session is open to the WebSocket protocol, which \`/asyncapi.json\` describes.

Errors are problems (RFC 9457) with a \`code\`; the reference page at \`/docs\` lists them all.

A server without a configured key answers callers on its own machine without a credential.`;

const TAGS = [
  { name: 'sessions', description: 'Conversations' },
  { name: 'engines', description: 'What answers in a session' },
  { name: 'runs', description: 'Commands, and how they went' },
  { name: 'requests', description: 'What runs ask people, and their answers' },
  { name: 'events', description: 'What happens in a session' },
  { name: 'files', description: 'Recordings of a session' },
  { name: 'auth', description: 'Who is calling; logging a browser in and out' },
  { name: 'health', description: 'Probes; open to everybody' },
  { name: 'meta', description: 'The server itself' },
  { name: 'admin', description: 'For admins: keys, the audit log, stopping everything' },
];

const zodToJsonConfig = { override: simplify };

/** Register before the routes; `app.swagger()` is the document once the application is ready. */
export async function registerOpenApi(app: HttpApp, config: APIConfig): Promise<void> {
  const toComponents = createJsonSchemaTransformObject({ zodToJsonConfig });
  const transformObject: TransformObject = (document) => tidyDocument(toComponents(document));
  const toJson = createJsonSchemaTransform({ zodToJsonConfig });
  const transform: typeof toJson = (operation) => {
    const described = toJson(operation);
    const permission = operation.route.config?.permission;
    return permission === undefined
      ? described
      : { ...described, schema: { ...described.schema, 'x-permission': permission } };
  };
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: config.values.title,
        version: config.values.version,
        description: DESCRIPTION,
      },
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'The key in `LLMGINE_API_KEY`' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key' },
          cookie: {
            type: 'apiKey',
            in: 'cookie',
            name: COOKIE_NAME,
            description: `What \`login\` gives a browser. What is not a GET needs the header \`${CSRF_HEADER}\` with it`,
          },
        },
      },
      security: [{ bearer: [] }, { apiKey: [] }, { cookie: [] }],
    },
    transform,
    transformObject,
  });
}
