/** What is worth an entry in the audit log. */
export const AUDIT_ACTIONS = [
  /** Someone showed a credential that is not valid, or none. */
  'auth.refused',
  'login.succeeded',
  'login.refused',
  'logout',
  /** A page from elsewhere wanted to connect. */
  'origin.refused',
  /** The caller is known and may not do this. */
  'access.refused',
  'key.created',
  'key.changed',
  'key.rotated',
  'key.revoked',
  'role.changed',
  'ticket.issued',
  'ticket.refused',
  'limit.reached',
  'source.blocked',
  'session.deleted',
  'admin.stop',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];
