import { ApiError, AUDIT_ACTIONS, jsonObjectSchema, timestampSchema } from '@llmgine/protocol';
import { z } from 'zod';
import { OPERATOR, type Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import { decodePageCursor, encodePageCursor } from '../../sessions/page-cursor.ts';
import type { AuditQuery, AuditRow } from '../../storage/types.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

const CURSOR = 'audit';
const ADMIN = { permission: 'admin' } as const;

const querySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().optional().meta({ description: '`next` of the page before' }),
  action: z.enum(AUDIT_ACTIONS).optional(),
  principal_id: z.string().min(1).max(500).optional(),
  from: timestampSchema.optional().meta({ description: 'inclusive' }),
  until: timestampSchema.optional().meta({ description: 'exclusive' }),
});

const headSchema = z
  .object({
    number: z.int().nonnegative().meta({ description: '0: there is no entry' }),
    hash: z.string().meta({ description: 'SHA-256 in hexadecimal; keep it elsewhere to find a cut log' }),
  })
  .meta({ id: 'AuditHead' });

const entrySchema = z
  .object({
    number: z.int().positive(),
    id: z.string(),
    at: timestampSchema,
    action: z.string(),
    outcome: z.string(),
    count: z.int().positive().optional().meta({ description: 'how often it happened, until `last_at`' }),
    last_at: timestampSchema.optional(),
    principal: z.object({ id: z.string(), tenant_id: z.string() }).nullable(),
    credential: z.object({ kind: z.string(), id: z.string().nullable() }).nullable(),
    target: z.object({ kind: z.string(), id: z.string() }).nullable(),
    address: z.string().nullable(),
    transport: z.string(),
    request_id: z.string().nullable(),
    details: jsonObjectSchema,
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' });
type Entry = z.infer<typeof entrySchema>;

const pageSchema = z
  .object({
    entries: z.array(entrySchema).meta({ description: 'newest first' }),
    next: z.string().nullable(),
  })
  .meta({ id: 'AuditPage' });

export function registerAdminAudit(app: HttpApp, { storage }: Services): void {
  app.get(
    '/api/admin/audit',
    {
      config: ADMIN,
      schema: {
        operationId: 'listAudit',
        tags: ['admin'],
        summary: 'The audit log, newest first',
        querystring: querySchema,
        response: { 200: pageSchema, ...problems('FORBIDDEN', 'INVALID_CURSOR', 'VALIDATION_ERROR') },
      },
    },
    async ({ principal, query }) => {
      assertReader(principal);
      const { limit } = query;
      const rows = await storage.audit.list({ ...toFilter(query), limit: limit + 1 });
      const shown = rows.slice(0, limit);
      const last = rows.length > limit ? shown.at(-1) : undefined;
      return {
        entries: shown.map(toEntry),
        next: last ? encodePageCursor(CURSOR, last.number) : null,
      };
    },
  );

  app.get(
    '/api/admin/audit/head',
    {
      config: ADMIN,
      schema: {
        operationId: 'getAuditHead',
        tags: ['admin'],
        summary: 'The newest entry of the audit log, by which a cut log can be found out',
        response: { 200: headSchema, ...problems('FORBIDDEN') },
      },
    },
    async ({ principal }) => {
      assertReader(principal);
      return storage.audit.head();
    },
  );
}

/** The log is about all tenants. */
function assertReader(principal: Principal): void {
  if (principal.tenantId === OPERATOR.tenantId) return;
  throw new ApiError('FORBIDDEN', "The audit log is for the admins of the server's own tenant");
}

function toFilter(query: z.infer<typeof querySchema>): Omit<AuditQuery, 'limit'> {
  const before = decodePageCursor(CURSOR, query.cursor);
  return {
    ...(before === undefined ? {} : { before }),
    ...(query.action === undefined ? {} : { action: query.action }),
    ...(query.principal_id === undefined ? {} : { principalId: query.principal_id }),
    ...(query.from === undefined ? {} : { from: Date.parse(query.from) }),
    ...(query.until === undefined ? {} : { until: Date.parse(query.until) }),
  };
}

function toEntry({ entry, hash }: AuditRow): Entry {
  return { ...(JSON.parse(entry) as Omit<Entry, 'hash'>), hash };
}
