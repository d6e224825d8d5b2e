import {
  ApiError,
  type AuditEntry,
  auditHeadSchema,
  auditPageSchema,
  type ListAuditQuery,
  listAuditQuerySchema,
} from '@llmgine/protocol';
import { OPERATOR, type Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import { decodePageCursor, encodePageCursor } from '../../sessions/page-cursor.ts';
import type { AuditQuery, AuditRow } from '../../storage/types.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

const CURSOR = 'audit';
const ADMIN = { permission: 'admin' } as const;

export function registerAdminAudit(app: HttpApp, { storage }: Services): void {
  app.get(
    '/api/admin/audit',
    {
      config: ADMIN,
      schema: {
        operationId: 'listAudit',
        tags: ['admin'],
        summary: 'The audit log, newest first',
        querystring: listAuditQuerySchema,
        response: { 200: auditPageSchema, ...problems('FORBIDDEN', 'INVALID_CURSOR', 'VALIDATION_ERROR') },
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
        response: { 200: auditHeadSchema, ...problems('FORBIDDEN') },
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

function toFilter(query: ListAuditQuery): Omit<AuditQuery, 'limit'> {
  const before = decodePageCursor(CURSOR, query.cursor);
  return {
    ...(before === undefined ? {} : { before }),
    ...(query.action === undefined ? {} : { action: query.action }),
    ...(query.principal_id === undefined ? {} : { principalId: query.principal_id }),
    ...(query.from === undefined ? {} : { from: Date.parse(query.from) }),
    ...(query.until === undefined ? {} : { until: Date.parse(query.until) }),
  };
}

function toEntry({ entry, hash }: AuditRow): AuditEntry {
  return { ...(JSON.parse(entry) as Omit<AuditEntry, 'hash'>), hash };
}
