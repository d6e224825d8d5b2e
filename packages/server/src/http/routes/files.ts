import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  ApiError,
  AUDIO_TYPES,
  type AudioAccepted,
  audioAcceptedSchema,
  fileDeletedSchema,
  fileSchema,
} from '@llmgine/protocol';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { AUDIO_NAMES } from '../../sessions/audio/types.ts';
import type { FileUpload } from '../../sessions/file-upload.ts';
import { toAudio, toFileInfo } from '../../sessions/files.ts';
import type { CallAnswer } from '../../sessions/idempotency.ts';
import type { FileRow } from '../../storage/types.ts';
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from '../idempotency.ts';
import { idempotencyKey } from '../negotiation.ts';
import { foreignCoding } from '../plugins/body.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { uploadOf } from '../uploads.ts';
import { loadSession, sessionParams, useSession } from './session-params.ts';

const URL = '/api/sessions/:session_id/files/:file_id';
const fileParams = sessionParams.extend({ file_id: z.string().meta({ description: 'File id' }) });

const bytesSchema = z.unknown().meta({ description: 'The bytes of the recording', format: 'binary' });
const audioContent = Object.fromEntries(AUDIO_TYPES.map((type) => [type, { schema: bytesSchema }]));

export async function registerFiles(app: HttpApp, services: Services): Promise<void> {
  await app.register(async (scope) => registerUpload(scope as unknown as HttpApp, services));

  app.get(
    URL,
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getFile',
        tags: ['files'],
        summary: 'What is known of a file',
        params: fileParams,
        response: { 200: fileSchema, ...problems('SESSION_NOT_FOUND', 'NOT_FOUND') },
      },
    },
    async (request) => toFileInfo(await loadFile(services, request)),
  );

  app.get(
    `${URL}/content`,
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'getFileContent',
        tags: ['files'],
        summary: 'The bytes of a file',
        params: fileParams,
        response: {
          200: { description: 'The file', content: audioContent },
          ...problems('SESSION_NOT_FOUND', 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const file = await loadFile(services, request);
      const name = `${file.fileId}.${file.mimeType.slice(file.mimeType.indexOf('/') + 1)}`;
      reply
        .type(file.mimeType)
        .header('content-length', file.size)
        // Nothing that somebody has sent is a page of this server.
        .header('content-disposition', `attachment; filename="${name}"`)
        .header('content-security-policy', 'sandbox');
      const bytes = request.method === 'HEAD' ? [] : services.files.read(file);
      return reply.send(Readable.from(bytes, { objectMode: false }));
    },
  );

  app.delete(
    URL,
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'deleteFile',
        tags: ['files'],
        summary: 'Delete a file',
        params: fileParams,
        headers: idempotencyHeaders,
        response: {
          200: fileDeletedSchema,
          ...problems('SESSION_NOT_FOUND', 'NOT_FOUND', ...IDEMPOTENCY_PROBLEMS),
        },
      },
    },
    async (request, reply) =>
      answerOnce(services, request, reply, async (keep) => {
        const session = await useSession(services, request);
        const { file_id } = request.params;
        const deleted = { status: 200, body: { file_id } };
        await services.files.remove(session, file_id, keep(deleted));
        return deleted;
      }),
  );
}

/** A part of its own: here, and nowhere else, bodies are recordings. */
function registerUpload(scope: HttpApp, services: Services): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser([...AUDIO_NAMES], (request, payload, done) => {
    done(foreignCoding(request.headers) ?? null, payload);
  });
  scope.addContentTypeParser('*', (_request, _payload, done) => done(notAudio(), undefined));
  scope.post(
    '/api/sessions/:session_id/audio',
    {
      config: { permission: 'sessions:write' },
      schema: {
        operationId: 'uploadAudio',
        tags: ['files'],
        summary: 'Send a recording',
        description:
          'The body is the recording itself, and its `Content-Type` is what it says it is. It may be larger than ' +
          'other bodies: see `max_audio_size`. Commands get its `file_id` as a parameter.',
        params: sessionParams,
        headers: idempotencyHeaders,
        consumes: [...AUDIO_TYPES],
        body: bytesSchema,
        response: {
          201: audioAcceptedSchema,
          ...problems(
            'SESSION_NOT_FOUND',
            'UNSUPPORTED_MEDIA_TYPE',
            'MESSAGE_TOO_LARGE',
            'RESOURCE_LIMIT_EXCEEDED',
            'STORAGE_FULL',
            ...IDEMPOTENCY_PROBLEMS,
          ),
        },
      },
    },
    async (request, reply) => {
      const { 'content-type': mimeType, 'content-length': length } = request.headers;
      if (mimeType === undefined) throw notAudio();
      // Before all is sent: a call that cannot be answered need not be.
      idempotencyKey(request.raw.headers);
      const session = await useSession(services, request);
      const upload = await services.files.begin(
        session,
        mimeType,
        length === undefined ? undefined : Number(length),
      );
      try {
        const digest = await receive(request, upload);
        return await answerOnce(
          services,
          request,
          reply,
          async (keep) => created(await upload.end((file) => keep(created(file)))),
          () => digest,
        );
      } finally {
        // What was taken stays. The rest of what is not is not worth reading.
        if (!request.raw.complete) reply.header('connection', 'close');
        await upload.abort();
      }
    },
  );
}

/** Takes the body, no faster than it can be kept; returns its digest. */
async function receive(request: FastifyRequest, upload: FileUpload): Promise<string> {
  const hash = createHash('sha256').update(`${request.headers['content-type']}\n`);
  for await (const chunk of uploadOf(request.raw)) {
    upload.write(chunk);
    hash.update(chunk);
    if (!upload.hasRoom) await upload.room();
  }
  return hash.digest('base64url');
}

function notAudio(): ApiError {
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `The body must be a recording: ${AUDIO_TYPES.join(', ')}`);
}

function created(file: FileRow): CallAnswer<AudioAccepted> {
  return {
    status: 201,
    headers: { location: `/api/sessions/${file.sessionId}/files/${file.fileId}` },
    body: toAudio(file),
  };
}

async function loadFile(
  services: Services,
  request: FastifyRequest & {
    readonly params: { readonly session_id: string; readonly file_id: string };
  },
): Promise<FileRow> {
  return services.files.get(await loadSession(services, request), request.params.file_id);
}
