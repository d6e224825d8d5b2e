import {
  ApiError,
  type CommandBody,
  commandBodySchema,
  commandPendingSchema,
  commandResultSchema,
  parseCursor,
} from '@llmgine/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import type { SessionKey } from '../../storage/types.ts';
import { idempotencyKey, prefersAsync, runIdOfKey, wantsEventStream } from '../negotiation.ts';
import { jsonOrEvents, problems } from '../responses.ts';
import type { EventStreams } from '../sse/event-streams.ts';
import { streamRun } from '../sse/run-stream.ts';
import type { HttpApp } from '../types.ts';
import { lastEventId } from './last-event-id.ts';
import { sessionParams, useSession } from './session-params.ts';

const commandHeaders = z.object({
  'idempotency-key': z.string().optional().meta({
    description: 'At most 255 characters. The same key with the same body attaches to the first run',
  }),
  prefer: z
    .string()
    .optional()
    .meta({ description: '`respond-async`: answer 202 at once', examples: ['respond-async'] }),
  'last-event-id': z.string().optional().meta({
    description: 'When streaming: the cursor after which to go on, instead of the beginning of the run',
  }),
});

export function registerCommands(app: HttpApp, services: Services, streams: EventStreams): void {
  app.post(
    '/api/sessions/:session_id/commands',
    {
      config: { permission: 'runs:write' },
      schema: {
        operationId: 'runCommand',
        tags: ['runs'],
        summary: 'Give the engine a command, for example a prompt',
        description:
          'Waits for the end of the run; a run that failed is answered with 200 and `status` `failed`. ' +
          '`Accept: text/event-stream` streams the events of the run and ends with `command_result`. ' +
          'A client that hangs up never ends a run. When the run asks people something, the answer is 202 with ' +
          '`status` `awaiting_input` and the `request_id`; a stream goes on until the run has ended.',
        params: sessionParams,
        headers: commandHeaders,
        body: commandBodySchema,
        response: {
          200: jsonOrEvents('The run has ended, or its events', commandResultSchema),
          202: commandPendingSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'INVALID_CURSOR',
            'VALIDATION_ERROR',
            'UNKNOWN_COMMAND',
            'ENGINE_NOT_LINKED',
            'RUN_IN_PROGRESS',
            'IDEMPOTENCY_MISMATCH',
            'RESOURCE_LIMIT_EXCEEDED',
            'UNAVAILABLE',
          ),
        },
      },
    },
    async (request, reply) => {
      const session = await useSession(services, request);
      services.live.remember(request.principal);
      const body = withRunId(request, session, request.body);
      const after = lastEventId(request.raw.headers);
      const async = prefersAsync(request.raw.headers);
      const streaming = !async && wantsEventStream(request.raw.headers);
      // Before the run starts: an answer that says 400 or 429 must not have done anything.
      if (streaming && after !== undefined && !parseCursor(after)) throw new ApiError('INVALID_CURSOR');
      if (streaming) streams.reserve(reply);
      const { accepted, status, requestId } = await services.runs.start(
        session,
        body,
        ({ run_id }, { attached }) => {
          request.log.info({ session_id: session.sessionId, run_id, attached }, 'command accepted');
        },
      );
      const pending = (state: object) =>
        reply
          .code(202)
          .header('location', `/api/sessions/${session.sessionId}/runs/${accepted.run_id}`)
          .send({ ...accepted, ...state } as z.infer<typeof commandPendingSchema>);
      if (async) {
        reply.header('preference-applied', 'respond-async');
        return pending({ status, ...(requestId === undefined ? {} : { request_id: requestId }) });
      }
      if (streaming) {
        await streamRun(services, streams, reply, session, accepted, after);
        return reply;
      }
      const ended = await services.runs.resultOrAsked(session, accepted.run_id, clientGone(reply));
      return ended.status === 'awaiting_input' ? pending(ended) : reply.send(ended);
    },
  );
}

/** Aborts when the client hangs up. (`request.signal` does not: with a body, the request itself is over long before.) */
function clientGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  if (reply.raw.destroyed) controller.abort();
  else reply.raw.once('close', () => controller.abort());
  return controller.signal;
}

/** The body, with the run that the `Idempotency-Key` stands for. Throws `VALIDATION_ERROR` when the two disagree. */
function withRunId(request: FastifyRequest, session: SessionKey, body: CommandBody): CommandBody {
  const key = idempotencyKey(request.raw.headers);
  if (key === undefined) return body;
  const runId = runIdOfKey(key, session);
  if (body.run_id !== undefined && body.run_id !== runId) {
    const message = 'names another run than the Idempotency-Key; give one of the two';
    throw new ApiError('VALIDATION_ERROR', `run_id ${message}`, { errors: [{ path: 'run_id', message }] });
  }
  return { ...body, run_id: runId };
}
