import {
  ApiError,
  engineDetailSchema,
  linkEngineSchema,
  linkedEngineSchema,
  SERVER_FRAMES,
} from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import type { CallAnswer } from '../../sessions/idempotency.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, sessionParams, useSession } from './session-params.ts';

const URL = '/api/sessions/:session_id/engine';

export function registerSessionEngine(app: HttpApp, services: Services): void {
  const { engines } = services;

  app.put(
    URL,
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'linkEngine',
        tags: ['engines'],
        summary: 'Link an engine to the session',
        description: 'Relinking makes a new engine and keeps the history. Refused while a run is unfinished.',
        params: sessionParams,
        headers: idempotencyHeaders,
        body: linkEngineSchema,
        response: {
          200: linkedEngineSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'VALIDATION_ERROR',
            'INVALID_ENGINE_TYPE',
            'ENGINE_CREATION_FAILED',
            'RUN_IN_PROGRESS',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const session = await useSession(services, request);
        return ok(await engines.link(session, request.body, undefined, (linked) => keep(ok(linked))));
      }),
  );

  app.get(
    URL,
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getEngine',
        tags: ['engines'],
        summary: 'The engine of the session',
        params: sessionParams,
        response: { 200: engineDetailSchema, ...problems('SESSION_NOT_FOUND', 'ENGINE_NOT_LINKED') },
      },
    },
    async (request) => {
      const { engine } = await loadSession(services, request);
      if (!engine) throw new ApiError('ENGINE_NOT_LINKED');
      return {
        engine_id: engine.engineId,
        engine_type: engine.engineType,
        status: engine.status,
        engine_config: engine.config,
      };
    },
  );

  app.delete(
    URL,
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'unlinkEngine',
        tags: ['engines'],
        summary: 'Unlink the engine of the session; the history stays',
        params: sessionParams,
        headers: idempotencyHeaders,
        response: {
          200: SERVER_FRAMES.engine_unlinked,
          ...problems('SESSION_NOT_FOUND', 'ENGINE_NOT_LINKED', 'RUN_IN_PROGRESS', ...IDEMPOTENCY_PROBLEMS),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const session = await useSession(services, request);
        return ok(await engines.unlink(session, (unlinked) => keep(ok(unlinked))));
      }),
  );
}

function ok<Body>(body: Body): CallAnswer<Body> {
  return { status: 200, body };
}
