import { forkSessionBodySchema, type SessionForked, sessionForkedSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import type { CallAnswer } from '../../sessions/idempotency.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { sessionParams, useSession } from './session-params.ts';

export function registerFork(app: HttpApp, services: Services): void {
  app.post(
    '/api/sessions/:session_id/fork',
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'forkSession',
        tags: ['sessions'],
        summary: 'Fork a session at the end of a run',
        description:
          'Makes a session with the conversation up to there, the engine, the metadata and the name. It depends on ' +
          'nothing: the session that it came from may be deleted. The body is optional.',
        params: sessionParams,
        headers: idempotencyHeaders,
        body: forkSessionBodySchema.nullish(),
        response: {
          201: sessionForkedSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'VALIDATION_ERROR',
            'RESOURCE_LIMIT_EXCEEDED',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const session = await useSession(services, request);
        return created(
          await services.transfers.fork(session, request.body ?? {}, (forked) => keep(created(forked))),
        );
      }),
  );
}

function created(body: SessionForked): CallAnswer<SessionForked> {
  return { status: 201, headers: { location: `/api/sessions/${body.session_id}` }, body };
}
