import { cancelRunResponseSchema, listRunsQuerySchema, runPageSchema, runSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, runParams, sessionParams, useSession } from './session-params.ts';

export function registerRuns(app: HttpApp, services: Services): void {
  const { runs } = services;

  app.get(
    '/api/sessions/:session_id/runs',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'listRuns',
        tags: ['runs'],
        summary: 'The runs of the session, newest first',
        params: sessionParams,
        querystring: listRunsQuerySchema,
        response: {
          200: runPageSchema,
          ...problems('SESSION_NOT_FOUND', 'INVALID_CURSOR', 'VALIDATION_ERROR'),
        },
      },
    },
    async (request) => runs.list(await loadSession(services, request), request.query),
  );

  app.get(
    '/api/sessions/:session_id/runs/:run_id',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getRun',
        tags: ['runs'],
        summary: 'Get a run',
        params: runParams,
        response: { 200: runSchema, ...problems('SESSION_NOT_FOUND', 'RUN_NOT_FOUND') },
      },
    },
    async (request) => runs.get(await loadSession(services, request), request.params.run_id),
  );

  app.post(
    '/api/sessions/:session_id/runs/:run_id/cancel',
    {
      config: { permission: 'runs:write' },
      schema: {
        operationId: 'cancelRun',
        tags: ['runs'],
        summary: 'Cancel a run; answered when its end is durable',
        params: runParams,
        response: {
          200: cancelRunResponseSchema,
          ...problems('SESSION_NOT_FOUND', 'RUN_NOT_FOUND', 'UNAVAILABLE'),
        },
      },
    },
    async (request) => runs.cancel(await useSession(services, request), request.params.run_id),
  );
}
