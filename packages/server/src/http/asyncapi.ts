/** AsyncAPI 3.0 of the WebSocket protocol, made from the schemas that frames are validated with. */
import {
  CLIENT_FRAMES,
  CLOSE_CODE_MEANINGS,
  ERRORS,
  EVENT_PAYLOADS,
  eventSchema,
  REPLIES,
  SERVER_FRAMES,
  SERVER_INITIATED,
} from '@llmgine/protocol';
import type { z } from 'zod';
import type { APIConfig } from '../config.ts';
import type { MessageTypes } from '../handlers/registry.ts';
import { COOKIE_NAME } from '../security/browser-sessions/cookie.ts';
import { type JsonSchema, SchemaCollector } from './json-schema.ts';

const CHANNEL = '#/channels/session';
const UNASKED: readonly string[] = ['event', ...SERVER_INITIATED];

const DESCRIPTION = `One WebSocket for each session. A frame is a text message \`{"type", "data", "message_id"?}\`; a reply
repeats the \`message_id\` of its request. An \`error\` can answer every frame and never closes the connection.

Frames that were not asked for come only after \`hello\`, \`subscribe\` or \`command\`.

Binary messages are the bytes of a recording, in as many as one likes: they come between \`audio_begin\` and \`audio_end\`.
A recording that cannot be taken is told at once, with an \`error\` that repeats the \`message_id\` of its \`audio_begin\`;
what comes of it until \`audio_end\` is dropped. A connection that closes before leaves nothing of it.

A browser, which cannot set headers, offers the subprotocol \`llmgine.ticket.TICKET\` beside \`llmgine.v1\`, with a ticket
from \`POST /api/sessions/{session_id}/tickets\`, which counts once; or its credential, as \`llmgine.bearer.TOKEN\`.

What a message asks of the caller is its \`x-permission\`; it is asked each time. A credential that expires closes the
connection with 4001, one that is revoked with 4010; \`authenticate\` puts another one of the same caller in its place.`;

interface Message {
  readonly type: string;
  readonly summary?: string | undefined;
  readonly data: JsonSchema;
  /** A request may leave out `data` when nothing in it is needed. */
  readonly dataOptional?: boolean;
  /** What comes without having been asked for answers nothing. */
  readonly unasked?: boolean;
}

/** The document. Every message type of the application is in it, also those that were added. */
export function asyncApiDocument(config: APIConfig, messages: MessageTypes): object {
  const { title, version, port } = config.values;
  const collector = new SchemaCollector();
  const described = new Map<string, object>();
  const operations: Record<string, object> = {};
  const add = (message: Message) => described.set(message.type, asyncApiMessage(message));
  const refs = (types: readonly string[]) =>
    types.map((type) => ({ $ref: `${CHANNEL}/messages/${keyOf(type)}` }));

  for (const [type, schema] of Object.entries(SERVER_FRAMES) as [string, z.ZodType][]) {
    add({
      type,
      summary: schema.description,
      data: type === 'event' ? eventData(collector, messages) : collector.convert(schema, 'output'),
      unasked: UNASKED.includes(type),
    });
  }
  const permissionOf = (type: string) => {
    const permission = messages.get(type)?.permission ?? null;
    return permission === null ? {} : { 'x-permission': permission };
  };
  const receive = (type: string, schema: z.ZodType, replies: readonly string[], summary?: string) => {
    const dataOptional = schema.safeParse({}).success;
    add({ type, summary, data: collector.convert(schema, 'input'), dataOptional });
    operations[keyOf(type)] = {
      action: 'receive',
      channel: { $ref: CHANNEL },
      ...permissionOf(type),
      ...(summary === undefined ? {} : { summary }),
      messages: refs([type]),
      reply: { channel: { $ref: CHANNEL }, messages: refs([...replies, 'error']) },
    };
  };
  for (const [type, schema] of Object.entries(CLIENT_FRAMES)) {
    // One name, two directions: a client publishes an `event`, and every event arrives as one.
    if (type === 'event') continue;
    receive(type, schema, REPLIES[type as keyof typeof REPLIES]);
  }
  for (const { type, description, request, response } of messages.custom) {
    if (response && !described.has(response.type)) {
      const data = collector.convert(response.schema, 'output');
      add({ type: response.type, data });
    }
    receive(type, request, response ? [response.type] : [], description);
  }
  const published = asyncApiMessage({
    type: 'event',
    summary: 'Publishes an event of your own',
    data: collector.convert(CLIENT_FRAMES.event, 'input'),
  });
  operations.publish_event = {
    action: 'receive',
    channel: { $ref: CHANNEL },
    ...permissionOf('event'),
    summary: 'Publishes an event of your own in the session',
    messages: refs(['publish_event']),
    reply: { channel: { $ref: CHANNEL }, messages: refs(['event_published', 'error']) },
  };
  for (const type of UNASKED) {
    operations[`send_${type}`] = { action: 'send', channel: { $ref: CHANNEL }, messages: refs([type]) };
  }

  const components = Object.fromEntries([...described].map(([type, message]) => [keyOf(type), message]));
  components.publish_event = published;
  return {
    asyncapi: '3.0.0',
    info: { title, version, description: DESCRIPTION },
    defaultContentType: 'application/json',
    servers: {
      default: {
        host: `localhost:${port || 8000}`,
        protocol: 'ws',
        security: [
          { $ref: '#/components/securitySchemes/bearer' },
          { $ref: '#/components/securitySchemes/apiKey' },
          { $ref: '#/components/securitySchemes/cookie' },
        ],
      },
    },
    channels: {
      session: {
        address: '/api/sessions/{session_id}/ws',
        parameters: { session_id: { description: 'Session id, a UUID' } },
        messages: Object.fromEntries(
          Object.keys(components).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
        ),
        bindings: { ws: { method: 'GET' } },
        'x-close-codes': Object.entries(CLOSE_CODE_MEANINGS).map(([code, { text, reconnect }]) => ({
          code: Number(code),
          text,
          reconnect,
        })),
        'x-error-codes': Object.entries(ERRORS).map(([code, { message, retryable }]) => ({
          code,
          message,
          retryable,
        })),
      },
    },
    operations,
    components: {
      messages: components,
      schemas: Object.fromEntries(Object.entries(collector.schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The key in `LLMGINE_API_KEY`' },
        apiKey: { type: 'httpApiKey', in: 'header', name: 'X-API-Key', description: 'The same key' },
        cookie: {
          type: 'httpApiKey',
          in: 'cookie',
          name: COOKIE_NAME,
          description: 'What `POST /api/auth/login` gives a browser; for pages of this server',
        },
      },
    },
  };
}

/** Names of components take no colon; types of messages and events do. */
function keyOf(type: string): string {
  return type.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
}

function asyncApiMessage({ type, summary, data, dataOptional = false, unasked = false }: Message): object {
  const initiated = (SERVER_INITIATED as readonly string[]).includes(type);
  return {
    name: type,
    title: type,
    ...(summary === undefined ? {} : { summary }),
    ...(unasked ? {} : { correlationId: { location: '$message.payload#/message_id' } }),
    payload: {
      type: 'object',
      required: dataOptional ? ['type'] : ['type', 'data'],
      properties: {
        type: { const: type },
        ...(unasked
          ? {}
          : {
              message_id: {
                type: ['string', 'number'],
                description: 'Repeated by the reply',
                examples: ['1'],
              },
            }),
        ...(initiated ? { server_initiated: { const: true } } : {}),
        data,
      },
    },
  };
}

/** Each type of event with its payload; a custom one without a schema carries whatever its publisher sent. */
function eventData(collector: SchemaCollector, messages: MessageTypes): JsonSchema {
  const payloads: [string, z.ZodType][] = [...Object.entries(EVENT_PAYLOADS), ...messages.events];
  const base = collector.convert(eventSchema, 'output');
  const variants = payloads.map(([type, schema]) => {
    const payload = collector.convert(schema, 'output');
    const key = `event.${keyOf(type)}`;
    collector.schemas[key] = {
      allOf: [base, { type: 'object', properties: { event_type: { const: type }, payload } }],
    };
    return { $ref: `#/components/schemas/${key}` };
  });
  collector.schemas['event.custom'] = {
    allOf: [base, { type: 'object', properties: { event_type: { type: 'string', pattern: '^custom:' } } }],
  };
  return { anyOf: [...variants, { $ref: '#/components/schemas/event.custom' }] };
}
