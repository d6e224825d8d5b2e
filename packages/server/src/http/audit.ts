import type { FastifyRequest } from 'fastify';
import type { AuditSource } from '../security/audit/event.ts';
import { refusalEvent } from '../security/audit/refusal.ts';
import type { Services } from '../services.ts';

/** What is refused there was somebody who wanted to log in. */
export const LOGIN_PATH = '/api/auth/login';

/** From where a request came, for the audit log. */
export function auditSource({ limits }: Pick<Services, 'limits'>, request: FastifyRequest): AuditSource {
  const address = limits.clientAddress(request.raw);
  return { address: address === '' ? null : address, transport: 'rest', requestId: request.id };
}

/** Records that somebody was not let in, or may not do this; other errors are none of its business. */
export function auditRefusal(
  services: Pick<Services, 'limits' | 'audit'>,
  request: FastifyRequest,
  error: unknown,
): void {
  const { method, url, principal, routeOptions } = request;
  const event = refusalEvent(error, {
    source: auditSource(services, request),
    principal: principal ?? null,
    operation: `${method} ${url.split('?', 1)[0]}`,
    login: routeOptions.url === LOGIN_PATH,
  });
  if (event) services.audit.record(event);
}
