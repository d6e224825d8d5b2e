import { ApiError } from '@llmgine/protocol';
import { z } from 'zod';
import { OPERATOR, type Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import { auditSource } from '../audit.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

const bodySchema = z
  .object({
    tenant_id: z.string().min(1).max(255).optional().meta({ description: 'default: all that you may stop' }),
    reason: z.string().max(1000).optional().meta({ description: 'for the log' }),
  })
  .nullish();

const answerSchema = z.object({ stopped: z.int().nonnegative() });

export function registerAdminStop(app: HttpApp, services: Services): void {
  const { runs, logger, audit } = services;
  app.post(
    '/api/admin/stop',
    {
      config: { permission: 'admin' },
      schema: {
        operationId: 'stopAll',
        tags: ['admin'],
        summary: 'Cancel all runs, or those of a tenant; answered when their ends are durable',
        body: bodySchema,
        response: { 200: answerSchema, ...problems('FORBIDDEN', 'VALIDATION_ERROR', 'UNAVAILABLE') },
      },
    },
    async (request) => {
      const { principal, body } = request;
      const tenantId = tenantToStop(principal, body?.tenant_id);
      const reason = body?.reason ?? null;
      const fields = {
        request_id: request.id,
        principal_id: principal.id,
        tenant_id: tenantId ?? null,
        reason,
      };
      const event = {
        action: 'admin.stop',
        source: auditSource(services, request),
        principal,
        ...(tenantId === undefined ? {} : { target: { kind: 'tenant', id: tenantId } }),
      } as const;
      // Nothing comes before the stopping: what cannot be recorded must not hold it up.
      logger.warn(fields, 'an admin stops all runs');
      let stopped: number;
      try {
        stopped = await runs.stopAll(tenantId);
      } catch (error) {
        audit.record({ ...event, outcome: 'failed', details: { reason } });
        throw error;
      }
      await audit.recordDurably({ ...event, outcome: 'success', details: { reason, stopped } });
      logger.warn({ ...fields, stopped }, 'all runs are stopped');
      return { stopped };
    },
  );
}

/** Admins of the server's own tenant stop any; those of another one stop theirs. */
function tenantToStop({ tenantId }: Principal, asked: string | undefined): string | undefined {
  if (tenantId === OPERATOR.tenantId || asked === tenantId) return asked;
  if (asked !== undefined) throw new ApiError('FORBIDDEN', 'An admin of a tenant stops its runs only');
  return tenantId;
}
