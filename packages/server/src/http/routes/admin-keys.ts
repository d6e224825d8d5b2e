import {
  issuedKeySchema,
  keyChangesSchema,
  keySchema,
  newKeySchema,
  rotationSchema,
} from '@llmgine/protocol';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type KeyAction, type KeyDeed, keyEvent } from '../../security/keys/audit-event.ts';
import type { Services } from '../../services.ts';
import { decodePageCursor, encodePageCursor } from '../../sessions/page-cursor.ts';
import { auditSource } from '../audit.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

const CURSOR = 'keys';
const MAX_PAGE = 100;

const keyParams = z.object({ key_id: z.string().max(100) });
const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(MAX_PAGE).meta({ description: '1 to 100' }),
  cursor: z.string().min(1).max(255).optional().meta({ description: '`next` of the page before' }),
  tenant_id: z.string().max(128).optional().meta({ description: 'default: all that you may see' }),
});
const keyPageSchema = z
  .object({ keys: z.array(keySchema).meta({ description: 'newest first' }), next: z.string().nullable() })
  .meta({ id: 'KeyPage' });

const BODY_PROBLEMS = [
  'INVALID_JSON',
  'UNSUPPORTED_MEDIA_TYPE',
  'MESSAGE_TOO_LARGE',
  'VALIDATION_ERROR',
] as const;
const ADMIN = { permission: 'admin' } as const;

/** None of these calls takes an `Idempotency-Key`: the answers that it stands for are kept, and these hold keys. */
export function registerAdminKeys(app: HttpApp, services: Services): void {
  const { keys, audit } = services;
  const record = (
    request: FastifyRequest,
    action: KeyAction,
    deed: Pick<KeyDeed, 'keyId' | 'now' | 'changes'>,
  ) => {
    const source = auditSource(services, request);
    return audit.recordDurably(keyEvent(action, { by: request.principal, source, ...deed }));
  };

  app.post(
    '/api/admin/keys',
    {
      config: ADMIN,
      schema: {
        operationId: 'createKey',
        tags: ['admin'],
        summary: 'Create an API key',
        description:
          'The answer holds the key itself, and nothing else ever does. Nobody gives a key more than they may do ' +
          'themselves, and admins of a tenant other than `default` manage the keys of their own.',
        body: newKeySchema,
        response: { 201: issuedKeySchema, ...problems('FORBIDDEN', ...BODY_PROBLEMS) },
      },
    },
    async (request, reply) => {
      const issued = await keys.service.create(request.principal, request.body);
      // A key that is not on record is handed to nobody.
      await record(request, 'create', { keyId: issued.id, now: issued });
      return reply.code(201).header('location', `/api/admin/keys/${issued.id}`).send(issued);
    },
  );

  app.get(
    '/api/admin/keys',
    {
      config: ADMIN,
      schema: {
        operationId: 'listKeys',
        tags: ['admin'],
        summary: 'List API keys, newest first, also those that have ended',
        querystring: listQuery,
        response: { 200: keyPageSchema, ...problems('FORBIDDEN', 'VALIDATION_ERROR', 'INVALID_CURSOR') },
      },
    },
    async (request) => {
      const { limit, cursor, tenant_id: tenantId } = request.query;
      const before = decodePageCursor(CURSOR, cursor);
      const page = await keys.service.list(request.principal, { limit, before, tenantId });
      return { keys: page.keys, next: page.next === null ? null : encodePageCursor(CURSOR, page.next) };
    },
  );

  app.get(
    '/api/admin/keys/:key_id',
    {
      config: ADMIN,
      schema: {
        operationId: 'getKey',
        tags: ['admin'],
        summary: 'Get an API key, without the key itself',
        params: keyParams,
        response: { 200: keySchema, ...problems('FORBIDDEN', 'NOT_FOUND') },
      },
    },
    (request) => keys.service.get(request.principal, request.params.key_id),
  );

  app.patch(
    '/api/admin/keys/:key_id',
    {
      config: ADMIN,
      schema: {
        operationId: 'changeKey',
        tags: ['admin'],
        summary: 'Change what a key in use is called, may do, and when it expires',
        description: 'It holds within a second, also for what is connected.',
        params: keyParams,
        body: keyChangesSchema,
        response: { 200: keySchema, ...problems('FORBIDDEN', 'NOT_FOUND', 'UNAVAILABLE', ...BODY_PROBLEMS) },
      },
    },
    async (request) => {
      const { principal, params, body } = request;
      const now = await keys.service.change(principal, params.key_id, body);
      await record(request, 'change', { keyId: now.id, now, changes: body });
      return now;
    },
  );

  app.delete(
    '/api/admin/keys/:key_id',
    {
      config: ADMIN,
      schema: {
        operationId: 'revokeKey',
        tags: ['admin'],
        summary: 'Revoke an API key, for good',
        description: 'It holds within a second, also for what is connected. To do it again is no error.',
        params: keyParams,
        response: { 200: keySchema, ...problems('FORBIDDEN', 'NOT_FOUND') },
      },
    },
    async (request) => {
      const now = await keys.service.revoke(request.principal, request.params.key_id);
      await record(request, 'revoke', { keyId: now.id, now });
      return now;
    },
  );

  app.post(
    '/api/admin/keys/:key_id/rotate',
    {
      config: ADMIN,
      schema: {
        operationId: 'rotateKey',
        tags: ['admin'],
        summary: 'Replace an API key: a new one for the same principal, and the old one goes on for a while',
        params: keyParams,
        body: rotationSchema.nullish(),
        response: {
          201: issuedKeySchema,
          ...problems('FORBIDDEN', 'NOT_FOUND', 'UNAVAILABLE', ...BODY_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const { key_id } = request.params;
      const issued = await keys.service.rotate(request.principal, key_id, request.body ?? {});
      await record(request, 'rotate', { keyId: key_id, now: issued });
      return reply.code(201).header('location', `/api/admin/keys/${issued.id}`).send(issued);
    },
  );
}
