import {
  ApiError,
  AUTH_CREDENTIALS,
  type AuthSession,
  authSessionSchema,
  loginSchema,
} from '@llmgine/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { offeredKey } from '../../security/authenticate.ts';
import {
  CLEAR_COOKIE,
  COOKIE_NAME,
  cookieOf,
  csrfTokenOf,
  setCookie,
} from '../../security/browser-sessions/cookie.ts';
import { assertOwnPage } from '../../security/browser-sessions/own-page.ts';
import { rateLimitHeaders } from '../../security/limits/rate-limited.ts';
import type { Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import { auditSource, LOGIN_PATH } from '../audit.ts';
import { publicProblems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

const PUBLIC = { public: true } as const;
const REFUSALS = ['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED'] as const;
const BODY_PROBLEMS = [
  'INVALID_JSON',
  'UNSUPPORTED_MEDIA_TYPE',
  'MESSAGE_TOO_LARGE',
  'VALIDATION_ERROR',
] as const;

/**
 * Logging in and out of a browser. The routes are public, because they are for those who are not let in yet, or not any
 * more; what they need they ask for themselves.
 */
export function registerAuthSession(app: HttpApp, services: Services): void {
  const { authenticate, browserSessions, config, audit, limits } = services;
  /** The rate of a caller counts here, too. */
  const count = ({ raw }: FastifyRequest, reply: FastifyReply, principal: Principal) => {
    const quota = limits.countRequest(raw, principal);
    if (quota) reply.headers(rateLimitHeaders(quota));
  };
  /** Null for nobody. */
  const whoIs = async ({ raw }: FastifyRequest) => {
    try {
      return await authenticate.authenticate(raw);
    } catch (error) {
      if (error instanceof ApiError && error.code === 'UNAUTHENTICATED') return null;
      throw error;
    }
  };

  app.post(
    LOGIN_PATH,
    {
      config: PUBLIC,
      schema: {
        operationId: 'login',
        tags: ['auth'],
        security: [],
        summary: 'Log a browser in: trade a key, or another credential, for a cookie',
        description:
          'The cookie is `__Host-llmgine`: no script reads it, and browsers send it to this server by HTTPS only (and ' +
          'on their own machine). With it, requests that may change something carry `csrf_token` as `X-CSRF-Token`.',
        body: loginSchema,
        response: { 200: authSessionSchema, ...publicProblems(...REFUSALS, ...BODY_PROBLEMS) },
      },
    },
    async (request, reply) => {
      assertOwnPage(request.raw, config);
      const holder = await authenticate.verify(request.body.token, request.raw);
      count(request, reply, holder);
      // Where everybody is let in there is nothing to log in to.
      if (holder.credential.kind === 'none') return describe(holder, null);
      const before = await browserSessions.identify(request.raw.headers);
      const { secret, principal, lifetimeMs } = await browserSessions.begin(holder);
      // The browser forgets the cookie that it had.
      if (before) await browserSessions.end(before);
      audit.record({
        action: 'login.succeeded',
        outcome: 'success',
        source: auditSource(services, request),
        principal: holder,
        target: { kind: 'browser_session', id: String(principal.credential.id) },
      });
      reply.header('set-cookie', setCookie(secret, lifetimeMs));
      return describe(principal, secret);
    },
  );

  app.get(
    '/api/auth/session',
    {
      config: PUBLIC,
      onSend: async (request, reply) => {
        const { statusCode } = reply;
        if (statusCode === 401 || (statusCode === 200 && !isByCookie(request))) clear(request, reply);
      },
      schema: {
        operationId: 'getAuthSession',
        tags: ['auth'],
        summary: 'Who is calling, by whatever credential; 401 where one is needed',
        description: 'A page asks this to find out whether somebody has to log in.',
        response: { 200: authSessionSchema, ...publicProblems(...REFUSALS) },
      },
    },
    async (request, reply) => {
      request.principal = await authenticate.authenticate(request.raw);
      count(request, reply, request.principal);
      return describe(request.principal, isByCookie(request) ? cookieOf(request.raw.headers) : null);
    },
  );

  app.post(
    '/api/auth/logout',
    {
      config: PUBLIC,
      schema: {
        operationId: 'logout',
        tags: ['auth'],
        security: [],
        summary: 'Log a browser out: its cookie ends, and what is connected with it',
        description: 'To do it again is no error. Other credentials are not ended by it.',
        response: {
          204: z.null().meta({ description: 'Nobody is logged in any more' }),
          ...publicProblems('FORBIDDEN', 'RATE_LIMITED'),
        },
      },
    },
    async (request, reply) => {
      // Also without a session: a page from elsewhere must not take the cookie away either.
      assertOwnPage(request.raw, config);
      const principal = await whoIs(request);
      if (principal?.credential.kind === 'session') {
        await browserSessions.end(principal);
        audit.record({
          action: 'logout',
          outcome: 'success',
          source: auditSource(services, request),
          principal,
          target: { kind: 'browser_session', id: String(principal.credential.id) },
        });
      }
      clear(request, reply);
      return reply.code(204).send(null);
    },
  );
}

function describe(principal: Principal, secret: string | null): AuthSession {
  const { id, tenantId, role, scopes, local, credential } = principal;
  const { kind, expiresAt } = credential;
  return {
    subject: id,
    tenant_id: tenantId,
    role,
    scopes: scopes === null ? null : [...scopes],
    credential: AUTH_CREDENTIALS.find((known) => known === kind) ?? 'custom',
    local,
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    csrf_token: secret === null ? null : csrfTokenOf(secret),
  };
}

function isByCookie({ principal }: FastifyRequest): boolean {
  return principal?.credential.kind === 'session';
}

/** Whoever shows another credential has not spoken of the cookie, good or bad. */
function clear({ raw: { headers } }: FastifyRequest, reply: FastifyReply): void {
  if (headers.cookie?.includes(COOKIE_NAME) && offeredKey(headers) === undefined) {
    reply.header('set-cookie', CLEAR_COOKIE);
  }
}
