import type { KeyView } from '@llmgine/protocol';
import type { AuditEvent, AuditSource } from '../audit/event.ts';
import type { Principal } from '../principal.ts';

export type KeyAction = 'create' | 'change' | 'rotate' | 'revoke';

export interface KeyDeed {
  readonly by: Principal;
  readonly source: AuditSource;
  /** What it was done to: of `rotate`, the old key. */
  readonly keyId: string;
  /** The key as it is now: of `rotate`, the new one. */
  readonly now: KeyView;
  /** What was asked for, of `change`. */
  readonly changes?: object;
}

/** What the audit log says of it. */
export function keyEvent(action: KeyAction, { by, source, keyId, now, changes = {} }: KeyDeed): AuditEvent {
  const { name, role, scopes, tenant_id, principal_id, expires_at } = now;
  return {
    action: auditAction(action, changes),
    outcome: 'success',
    source,
    principal: by,
    target: { kind: 'key', id: keyId },
    details: {
      name,
      role,
      scopes,
      tenant_id,
      principal_id,
      expires_at,
      ...(action === 'rotate' ? { successor_id: now.id } : {}),
    },
  };
}

function auditAction(action: KeyAction, changes: object): AuditEvent['action'] {
  switch (action) {
    case 'create':
      return 'key.created';
    case 'rotate':
      return 'key.rotated';
    case 'revoke':
      return 'key.revoked';
    case 'change':
      return 'role' in changes || 'scopes' in changes ? 'role.changed' : 'key.changed';
  }
}
