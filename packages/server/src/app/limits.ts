import type { Logger } from 'pino';
import type { APIConfig } from '../config.ts';
import type { Abuse } from '../security/abuse/guard.ts';
import type { AuditEvent } from '../security/audit/event.ts';
import type { AuditLog } from '../security/audit/log.ts';
import { Limits } from '../security/limits/limits.ts';

/** A source that is blocked is in the log, and in the audit log. */
export function createLimits(config: APIConfig, logger: Logger, audit: AuditLog): Limits {
  return new Limits(config, (abuse) => {
    logAbuse(logger, abuse);
    audit.record(abuseEvent(abuse));
  });
}

function abuseEvent({ kind, source, principal, blockedSeconds }: Abuse): AuditEvent {
  return {
    action: 'source.blocked',
    outcome: 'success',
    source: { address: null, transport: 'server', requestId: null },
    principal,
    target: { kind: 'address', id: source },
    details: { kind, blocked_seconds: blockedSeconds },
  };
}

function logAbuse(logger: Logger, { kind, source, principal, blockedSeconds }: Abuse): void {
  const caller = principal && { principal_id: principal.id, tenant_id: principal.tenantId };
  logger.warn({ kind, source, ...caller, blocked_seconds: blockedSeconds }, 'a source is blocked');
}
