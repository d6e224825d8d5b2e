import {
  answerAcceptedSchema,
  answerSchema,
  listRequestsQuerySchema,
  requestPageSchema,
  requestSchema,
} from '@llmgine/protocol';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, sessionParams } from './session-params.ts';

const requestParams = sessionParams.extend({ request_id: z.string() });

export function registerRequests(app: HttpApp, services: Services): void {
  const { requests } = services;

  app.get(
    '/api/sessions/:session_id/requests',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'listRequests',
        tags: ['requests'],
        summary: 'What runs of the session have asked people, newest first',
        params: sessionParams,
        querystring: listRequestsQuerySchema,
        response: {
          200: requestPageSchema,
          ...problems('SESSION_NOT_FOUND', 'INVALID_CURSOR', 'VALIDATION_ERROR'),
        },
      },
    },
    async (request) => requests.list(await loadSession(services, request), request.query),
  );

  app.get(
    '/api/sessions/:session_id/requests/:request_id',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getRequest',
        tags: ['requests'],
        summary: 'Get a request',
        params: requestParams,
        response: { 200: requestSchema, ...problems('SESSION_NOT_FOUND', 'REQUEST_NOT_FOUND') },
      },
    },
    async (request) => requests.get(await loadSession(services, request), request.params.request_id),
  );

  app.post(
    '/api/sessions/:session_id/requests/:request_id',
    {
      config: { permission: 'requests:answer' },
      schema: {
        operationId: 'answerRequest',
        tags: ['requests'],
        summary: 'Answer a request; the first answer wins',
        description:
          'The run that waits goes on, and whoever follows the session sees it. The same answer again is the same as once.',
        params: requestParams,
        headers: idempotencyHeaders,
        body: answerSchema,
        response: {
          200: answerAcceptedSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'REQUEST_NOT_FOUND',
            'REQUEST_EXPIRED',
            'REQUEST_ALREADY_ANSWERED',
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'UNAVAILABLE',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const session = await loadSession(services, request);
        const { request_id } = request.params;
        const body = { request_id, outcome: request.body.outcome };
        const idempotency = keep({ status: 200, body });
        const by = request.principal.id;
        await requests.answer(session, request_id, request.body, { by, idempotency });
        return { status: 200, body };
      }),
  );
}
