import {
  ApiError,
  createSessionBodySchema,
  createSessionResponseSchema,
  deleteSessionResponseSchema,
  listSessionsQuerySchema,
  sessionDetailSchema,
  sessionListSchema,
} from '@llmgine/protocol';
import type { z } from 'zod';
import type { Services } from '../../services.ts';
import type { CallAnswer } from '../../sessions/idempotency.ts';
import { auditSource } from '../audit.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, sessionIdOf, sessionParams } from './session-params.ts';

const METADATA_PREFIX = 'metadata.';

export function registerSessions(app: HttpApp, services: Services): void {
  const { sessions } = services;

  app.post(
    '/api/sessions',
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'createSession',
        tags: ['sessions'],
        summary: 'Create a session',
        description: 'The body is optional. With `engine_type` the session starts with an engine linked.',
        headers: idempotencyHeaders,
        body: createSessionBodySchema.nullish(),
        response: {
          201: createSessionResponseSchema,
          ...problems(
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'VALIDATION_ERROR',
            'INVALID_ENGINE_TYPE',
            'ENGINE_CREATION_FAILED',
            'RESOURCE_LIMIT_EXCEEDED',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const { sessionId } = await sessions.create(request.principal, request.body ?? {}, (id) =>
          keep(created(id)),
        );
        return created(sessionId);
      }),
  );

  app.get(
    '/api/sessions',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'listSessions',
        tags: ['sessions'],
        summary: 'List your sessions, newest first',
        description:
          'Page with `cursor`, the `next` of the page before, or with `offset`. `metadata.KEY=VALUE` keeps sessions whose metadata says so.',
        querystring: listSessionsQuerySchema,
        response: { 200: sessionListSchema, ...problems('VALIDATION_ERROR', 'INVALID_CURSOR') },
      },
    },
    async (request) => {
      const { limit, cursor, offset, status, ...rest } = request.query;
      return sessions.list(request.principal, {
        limit,
        cursor,
        offset,
        status,
        metadata: metadataFilter(rest),
      });
    },
  );

  app.get(
    '/api/sessions/:session_id',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getSession',
        tags: ['sessions'],
        summary: 'Get a session',
        params: sessionParams,
        response: { 200: sessionDetailSchema, ...problems('SESSION_NOT_FOUND') },
      },
    },
    async (request) => sessions.detail(await loadSession(services, request)),
  );

  app.delete(
    '/api/sessions/:session_id',
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'deleteSession',
        tags: ['sessions'],
        summary: 'Delete a session',
        description: 'Cancels its runs, closes its connections and removes its data.',
        params: sessionParams,
        headers: idempotencyHeaders,
        response: {
          200: deleteSessionResponseSchema,
          ...problems('SESSION_NOT_FOUND', ...IDEMPOTENCY_PROBLEMS),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const answer = { status: 200, body: { message: 'Session deleted successfully' } };
        const sessionId = sessionIdOf(request);
        await sessions.delete(request.principal, sessionId, keep(answer));
        services.audit.record({
          action: 'session.deleted',
          outcome: 'success',
          source: auditSource(services, request),
          principal: request.principal,
          target: { kind: 'session', id: sessionId },
        });
        return answer;
      }),
  );
}

type Created = z.output<typeof createSessionResponseSchema>;

function created(sessionId: string): CallAnswer<Created> {
  return {
    status: 201,
    headers: { location: `/api/sessions/${sessionId}` },
    body: { session_id: sessionId, status: 'success' },
  };
}

function metadataFilter(query: Record<string, unknown>): Record<string, string> | undefined {
  const filter: [string, string][] = [];
  for (const [name, value] of Object.entries(query)) {
    const key = name.startsWith(METADATA_PREFIX) ? name.slice(METADATA_PREFIX.length) : '';
    if (key === '') continue;
    if (typeof value !== 'string') {
      const message = 'must be given once';
      throw new ApiError('VALIDATION_ERROR', `${name}: ${message}`, { errors: [{ path: name, message }] });
    }
    filter.push([key, value]);
  }
  return filter.length > 0 ? Object.fromEntries(filter) : undefined;
}
