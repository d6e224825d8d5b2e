/** What is worth an entry in the audit log. */
import type { AuditAction, JsonObject } from '@llmgine/protocol';
import type { Principal } from '../principal.ts';

/** `refused`: it was not allowed. `failed`: it was, and did not work. */
export const AUDIT_OUTCOMES = ['success', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export interface AuditSource {
  /** Of the caller; null where there is none, for example on the command line. */
  readonly address: string | null;
  readonly transport: 'rest' | 'websocket' | 'cli' | 'server';
  /** As the answer and the log name the request. */
  readonly requestId: string | null;
}

export interface AuditEvent {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly source: AuditSource;
  /** Who did it; null when nobody knows. */
  readonly principal?: Pick<Principal, 'id' | 'tenantId' | 'credential'> | null | undefined;
  /** What it was done to. */
  readonly target?: { readonly kind: string; readonly id: string } | undefined;
  /** What else matters. It is cut when it is long; what is named like a secret is hidden. */
  readonly details?: JsonObject | undefined;
}
