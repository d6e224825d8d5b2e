import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  ApiError,
  createSessionResponseSchema,
  EXPORT_MEDIA_TYPE,
  exportLineSchema,
} from '@llmgine/protocol';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import type { CallAnswer } from '../../sessions/idempotency.ts';
import type { SessionImport } from '../../sessions/transfer/import.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { idempotencyKey } from '../negotiation.ts';
import { foreignCoding } from '../plugins/body.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { uploadOf } from '../uploads.ts';
import { loadSession, sessionParams } from './session-params.ts';

/** JSON Lines has names besides the one that is registered. */
const TAKEN = [EXPORT_MEDIA_TYPE, 'application/x-ndjson', 'application/x-jsonlines'];

const linesSchema = z.unknown().meta({ description: 'JSON Lines, each an `ExportLine`' });
type Created = z.output<typeof createSessionResponseSchema>;

export async function registerTransfer(app: HttpApp, services: Services): Promise<void> {
  await app.register(async (scope) => registerImport(scope as unknown as HttpApp, services));

  app.get(
    '/api/sessions/:session_id/export',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'exportSession',
        tags: ['sessions'],
        summary: 'Export a session as JSON Lines',
        description:
          'One line with the session, then its messages, then the events that are kept, then an `end` line with ' +
          'their numbers: without it, the file was cut off. Credentials and owners are not in it, and neither are ' +
          'recordings.',
        params: sessionParams,
        response: {
          200: {
            description: 'The lines, one after the other',
            content: { [EXPORT_MEDIA_TYPE]: { schema: exportLineSchema } },
          },
          ...problems('SESSION_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const session = await loadSession(services, request);
      reply
        .type(EXPORT_MEDIA_TYPE)
        .header('content-disposition', `attachment; filename="session-${session.sessionId}.jsonl"`);
      const lines = request.method === 'HEAD' ? [] : services.transfers.export(session);
      return reply.send(Readable.from(lines, { objectMode: false }) as never);
    },
  );
}

/** A part of its own: here, and nowhere else, bodies are JSON Lines. */
function registerImport(scope: HttpApp, services: Services): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(TAKEN, (request, payload, done) => {
    done(foreignCoding(request.headers) ?? null, payload);
  });
  scope.addContentTypeParser('*', (_request, _payload, done) => done(notLines(), undefined));
  scope.post(
    '/api/sessions/import',
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'importSession',
        tags: ['sessions'],
        summary: 'Import a session from its export',
        description:
          'The body is what an export has given, from this server or another one. The new session is yours, whatever ' +
          'the file says; it has the conversation, the engine, the metadata and the name. Events are not taken over. ' +
          'All or nothing. It may be larger than other bodies: see `LLMGINE_API_MAX_IMPORT_SIZE`.',
        headers: idempotencyHeaders,
        consumes: [EXPORT_MEDIA_TYPE],
        body: linesSchema,
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
            'STORAGE_FULL',
            'UNAVAILABLE',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    async (request, reply) => {
      const { 'content-type': type, 'content-length': length } = request.headers;
      if (type === undefined) throw notLines();
      // Before all is sent: a call that cannot be answered need not be.
      idempotencyKey(request.raw.headers);
      const { tenantId, id: ownerId } = request.principal;
      const size = length === undefined ? undefined : Number(length);
      try {
        const incoming = services.transfers.import({ tenantId, ownerId }, size);
        try {
          const digest = await receive(request, incoming);
          return await answerOnce(
            services,
            request,
            reply,
            async (keep) => created((await incoming.end((id) => keep(created(id)))).sessionId),
            () => digest,
          );
        } finally {
          await incoming.abort();
        }
      } finally {
        // The rest of what is not taken is not worth reading.
        if (!request.raw.complete) reply.header('connection', 'close');
      }
    },
  );
}

/** Takes the body, no faster than it can be kept; returns its digest. */
async function receive(request: FastifyRequest, incoming: SessionImport): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of uploadOf(request.raw)) {
    hash.update(chunk);
    await incoming.write(chunk);
  }
  return hash.digest('base64url');
}

function notLines(): ApiError {
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `The body must be an export: ${EXPORT_MEDIA_TYPE}`);
}

function created(sessionId: string): CallAnswer<Created> {
  return {
    status: 201,
    headers: { location: `/api/sessions/${sessionId}` },
    body: { session_id: sessionId, status: 'success' },
  };
}
