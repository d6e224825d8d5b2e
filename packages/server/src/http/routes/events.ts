import {
  ApiError,
  CLIENT_FRAMES,
  eventPageSchema,
  eventPublishedSchema,
  listEventsQuerySchema,
} from '@llmgine/protocol';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import type { PublishedEvent } from '../../sessions/log.ts';
import { idempotencyKey, wantsEventStream } from '../negotiation.ts';
import { jsonOrEvents, problems } from '../responses.ts';
import type { EventStreams } from '../sse/event-streams.ts';
import type { HttpApp } from '../types.ts';
import { lastEventId } from './last-event-id.ts';
import { loadSession, sessionParams, useSession } from './session-params.ts';

const URL = '/api/sessions/:session_id/events';

export function registerEvents(app: HttpApp, services: Services, streams: EventStreams): void {
  const { log, messages } = services;

  app.get(
    URL,
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'listEvents',
        tags: ['events'],
        summary: 'Read the log of the session, or follow it',
        description:
          'JSON: a page after `after`, from the beginning without it. `Accept: text/event-stream`: what follows ' +
          '`Last-Event-ID` or `after`, from now on without them, and then what happens, until the session ends. ' +
          '`id` is the cursor, `event` the event type, `data` the event.',
        params: sessionParams,
        querystring: listEventsQuerySchema,
        headers: z.object({
          'last-event-id': z
            .string()
            .optional()
            .meta({ description: 'When streaming: the cursor after which to go on; wins over `after`' }),
        }),
        response: {
          200: jsonOrEvents('A page of events, or the events as they come', eventPageSchema),
          ...problems(
            'SESSION_NOT_FOUND',
            'INVALID_CURSOR',
            'VALIDATION_ERROR',
            'RESOURCE_LIMIT_EXCEEDED',
            'UNAVAILABLE',
          ),
        },
      },
    },
    async (request, reply) => {
      const session = await loadSession(services, request);
      const { after, limit } = request.query;
      if (request.method !== 'HEAD' && wantsEventStream(request.raw.headers)) {
        // The header wins: a client that connects again keeps the address it began with.
        await streams.open(reply, session, { after: lastEventId(request.raw.headers) ?? after });
        return reply;
      }
      const { events, ...page } = await log.page(session, after, limit);
      // The events are JSON already; parsing them to serialise them again would be most of the work.
      const text = `{"events":[${events.map((event) => event.data).join(',')}],${JSON.stringify(page).slice(1)}`;
      return reply.type('application/json; charset=utf-8').send(text as never);
    },
  );

  app.post(
    URL,
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'publishEvent',
        tags: ['events'],
        summary: 'Publish an event of your own in the session',
        description: '`event_id` or an `Idempotency-Key` makes it idempotent; give one of the two.',
        params: sessionParams,
        headers: z.object({
          'idempotency-key': z.string().optional().meta({
            description:
              'At most 255 characters. The same key with the same event gets the cursor of the first',
          }),
        }),
        body: CLIENT_FRAMES.event,
        response: {
          201: eventPublishedSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'INVALID_JSON',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'VALIDATION_ERROR',
            'IDEMPOTENCY_MISMATCH',
          ),
        },
      },
    },
    async (request, reply) => {
      const session = await useSession(services, request);
      const event = withKey(request.body, idempotencyKey(request.raw.headers));
      messages.checkEvent(event.event_type, event.payload);
      return reply.code(201).send(await log.publish(session, event));
    },
  );
}

/** An event has one id. Throws `VALIDATION_ERROR` when it is given two. */
function withKey(event: PublishedEvent, key: string | undefined): PublishedEvent {
  if (key === undefined) return event;
  if (event.event_id !== undefined) {
    const message = 'and Idempotency-Key are both an id; give one of the two';
    throw new ApiError('VALIDATION_ERROR', `event_id ${message}`, {
      errors: [{ path: 'event_id', message }],
    });
  }
  return { ...event, idempotency_key: key };
}
