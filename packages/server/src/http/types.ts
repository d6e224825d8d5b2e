import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Permission } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';
import type { EventStreams } from './sse/event-streams.ts';

/** The Fastify instance of this server: Zod schemas, Pino logger. */
export type HttpApp = FastifyInstance<Server, IncomingMessage, ServerResponse, Logger, ZodTypeProvider>;

declare module 'fastify' {
  interface FastifyInstance {
    /** The open streams of server-sent events. */
    eventStreams: EventStreams;
    /** What routes ask for that name nothing; null: they cannot be registered. */
    defaultPermission: Permission | null;
  }
  interface FastifyRequest {
    /** Who is calling. Not set on public routes. */
    principal: Principal;
  }
  interface FastifyContextConfig {
    /** Answers without a credential. Everything else needs one. */
    public?: boolean;
    /** What the caller has to be allowed. */
    permission?: Permission;
    /** A page that people open in a browser, or a part of one: HTTP Basic lets them in, too. */
    browsable?: boolean;
  }
}
