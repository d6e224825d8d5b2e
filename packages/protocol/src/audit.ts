/** The audit log, as admins read it. */
import { z } from 'zod';
import { AUDIT_ACTIONS } from './audit-actions.ts';
import { jsonObjectSchema, timestampSchema } from './common.ts';

export const listAuditQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().optional().meta({ description: '`next` of the page before' }),
  action: z.enum(AUDIT_ACTIONS).optional(),
  principal_id: z.string().min(1).max(500).optional(),
  from: timestampSchema.optional().meta({ description: 'inclusive' }),
  until: timestampSchema.optional().meta({ description: 'exclusive' }),
});
export type ListAuditQuery = z.infer<typeof listAuditQuerySchema>;

export const auditHeadSchema = z
  .object({
    number: z.int().nonnegative().meta({ description: '0: there is no entry' }),
    hash: z.string().meta({ description: 'SHA-256 in hexadecimal; keep it elsewhere to find a cut log' }),
  })
  .meta({ id: 'AuditHead' });

export const auditEntrySchema = z
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
export const auditPageSchema = z
  .object({
    entries: z.array(auditEntrySchema).meta({ description: 'newest first' }),
    next: z.string().nullable(),
  })
  .meta({ id: 'AuditPage' });
export type AuditEntry = z.infer<typeof auditEntrySchema>;
