/** REST bodies and query strings that are not already the schema of a noun of their own. */
import { z } from 'zod';
import { cursorSchema, jsonObjectSchema, runIdSchema, timestampSchema } from './common.ts';
import { eventSchema } from './events.ts';
import { limitsSchema } from './limits.ts';
import { messageSchema } from './messages.ts';
import { REQUEST_STATUSES, requestSchema } from './requests.ts';
import { RUN_STATUSES, runSchema } from './runs.ts';
import { SESSION_STATUSES } from './sessions.ts';

const limit = (fallback: number) =>
  z.coerce.number().int().min(1).max(100).default(fallback).meta({ description: '1 to 100' });
const pageCursor = z.string().min(1).max(255).optional().meta({ description: '`next` of the page before' });

export const healthSchema = z
  .object({
    status: z.literal('healthy'),
    service: z.literal('llmgine-api'),
    timestamp: timestampSchema,
    uptime: z.number().nonnegative().meta({ description: 'seconds since the process started' }),
  })
  .meta({ id: 'Health' });

const serviceStateSchema = z.object({
  initialized: z.boolean(),
  monitor_running: z.boolean(),
  count: z.int().nonnegative(),
});
export const readySchema = z
  .object({
    status: z.literal('ready'),
    timestamp: timestampSchema,
    services: z.object({ sessions: serviceStateSchema, engines: serviceStateSchema }),
  })
  .meta({ id: 'Ready' });

export const liveSchema = z
  .object({
    status: z.literal('alive'),
    timestamp: timestampSchema,
    pid: z.int().nullable().meta({ description: 'null unless debug is on' }),
  })
  .meta({ id: 'Live' });

/** `metadata.KEY=VALUE` pairs come on top, with any key; they are matched as text. */
export const listSessionsQuerySchema = z
  .object({
    limit: limit(100),
    cursor: pageCursor,
    offset: z.coerce.number().int().min(0).max(1_000_000).optional(),
    status: z.enum(SESSION_STATUSES).optional(),
    // Stands for all of them in the document, which has no words for a name with a variable part.
    'metadata.KEY': z.string().optional().meta({
      description:
        'Keeps sessions whose metadata has this text at `KEY`, which is any key; may be given for several',
    }),
  })
  .catchall(z.unknown());

export const listEventsQuerySchema = z.object({
  after: cursorSchema.optional(),
  limit: limit(100),
});
export const eventPageSchema = z
  .object({
    events: z.array(eventSchema),
    cursor: cursorSchema.meta({ description: 'give it as `after` to go on' }),
    has_more: z.boolean(),
    resync_required: z
      .boolean()
      .meta({ description: 'the cursor names nothing that is kept: load the messages' }),
  })
  .meta({ id: 'EventPage' });
export const eventPublishedSchema = z.object({ cursor: cursorSchema }).meta({ id: 'EventPublished' });

export const listMessagesQuerySchema = z.object({ limit: limit(100), before: pageCursor });
export const messagePageSchema = z
  .object({
    messages: z.array(messageSchema).meta({ description: 'oldest first' }),
    next: z.string().nullable().meta({ description: 'give it as `before` for the page of older messages' }),
    cursor: cursorSchema,
  })
  .meta({ id: 'MessagePage' });

export const listRunsQuerySchema = z.object({
  limit: limit(100),
  cursor: pageCursor,
  status: z.enum(RUN_STATUSES).optional(),
});
export const runPageSchema = z
  .object({ runs: z.array(runSchema).meta({ description: 'newest first' }), next: z.string().nullable() })
  .meta({ id: 'RunPage' });
export const cancelRunResponseSchema = z.object({ run_id: runIdSchema }).meta({ id: 'RunCancelled' });

export const listRequestsQuerySchema = z.object({
  limit: limit(100),
  cursor: pageCursor,
  status: z.enum(REQUEST_STATUSES).optional().meta({ description: 'default: all' }),
});
export const requestPageSchema = z
  .object({
    requests: z.array(requestSchema).meta({ description: 'newest first' }),
    next: z.string().nullable(),
  })
  .meta({ id: 'RequestPage' });

export const ticketSchema = z
  .object({
    ticket: z.string().meta({ description: 'offer it as the subprotocol `llmgine.ticket.TICKET`' }),
    expires_at: timestampSchema,
  })
  .meta({ id: 'Ticket', description: 'Opens one WebSocket of the session, once' });
export type Ticket = z.infer<typeof ticketSchema>;

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'a stable URI for the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    details: z.string().optional().meta({ description: 'in debug mode only' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type Problem = z.infer<typeof problemSchema>;

export const rootSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    status: z.literal('running'),
    docs: z.string(),
    openapi: z.string(),
    asyncapi: z.string(),
    health: z.string(),
    console: z.string().optional().meta({ description: 'missing where it is switched off' }),
  })
  .meta({ id: 'Root' });

export const infoSchema = z
  .object({
    title: z.string(),
    version: z.string(),
    server_version: z.string(),
    protocol_version: z.string(),
    model: z.string(),
    model_providers: z.array(z.string()).meta({ description: 'those whose models can be used now' }),
    engine_name: z.string().nullable().meta({ description: 'what the extension calls itself' }),
    engine_types: z.array(z.string()),
    message_types: z.array(z.string()),
    custom_message_types: z.array(
      z.object({ type: z.string(), request: jsonObjectSchema, response: jsonObjectSchema.nullable() }),
    ),
    tools: z.array(z.string()),
    mcp_servers: z
      .array(
        z.object({
          name: z.string(),
          status: z.enum(['connecting', 'ready', 'down', 'disabled']),
          tools: z.int().nonnegative().meta({ description: 'how many it has now' }),
        }),
      )
      .meta({ description: 'the tools of one that is not ready are not there until it is' }),
    capabilities: z.array(z.string()),
    limits: limitsSchema,
  })
  .meta({ id: 'Info' });
export type Info = z.infer<typeof infoSchema>;
