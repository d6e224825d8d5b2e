import { ApiError, type AuditAction } from '@llmgine/protocol';
import type { Principal } from '../principal.ts';
import type { AuditEvent, AuditSource } from './event.ts';

export interface Refused {
  readonly source: AuditSource;
  readonly principal: Principal | null;
  /** What was asked for, for example `GET /api/sessions`; without a query, which may hold what is secret. */
  readonly operation: string;
  /** It was refused for where the page is from. */
  readonly foreignOrigin?: string | undefined;
  /** It was a credential to log in with. */
  readonly login?: boolean;
  /** It was a ticket. */
  readonly ticket?: boolean;
}

/** The event of an answer that lets somebody in nowhere, or not now; null for any other error. */
export function refusalEvent(error: unknown, refused: Refused): AuditEvent | null {
  if (!(error instanceof ApiError)) return null;
  const action = actionOf(error, refused);
  if (action === null) return null;
  const { source, principal, operation, foreignOrigin: origin } = refused;
  return {
    action,
    outcome: 'refused',
    source,
    principal,
    target: { kind: 'operation', id: operation },
    details: { reason: error.message, ...(origin === undefined ? {} : { origin }) },
  };
}

function actionOf({ code }: ApiError, refused: Refused): AuditAction | null {
  const { foreignOrigin, login = false, ticket = false } = refused;
  if (code === 'UNAUTHENTICATED') return login ? 'login.refused' : ticket ? 'ticket.refused' : 'auth.refused';
  if (code === 'RATE_LIMITED' || code === 'RESOURCE_LIMIT_EXCEEDED') return 'limit.reached';
  if (code !== 'FORBIDDEN') return null;
  return foreignOrigin === undefined ? 'access.refused' : 'origin.refused';
}
