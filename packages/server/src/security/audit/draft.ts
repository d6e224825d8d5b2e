import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@llmgine/protocol';
import { sourceOf } from '../client-address.ts';
import { cleanDetails, cleanText, type Redact } from './clean.ts';
import type { AuditEvent } from './event.ts';

/** Longer than the name of any caller: cut, two of them could be one. */
const MAX_NAME = 300;

/** An entry that has no place in the chain yet. Repetitions may still be counted. */
export interface Draft {
  readonly id: string;
  /** Milliseconds of the first time. */
  readonly at: number;
  lastAt: number;
  count: number;
  /** What the entry says besides. */
  readonly fields: DraftFields;
}

export interface DraftFields {
  readonly action: string;
  readonly outcome: string;
  readonly principal: { readonly id: string; readonly tenant_id: string } | null;
  readonly credential: { readonly kind: string; readonly id: string | null } | null;
  readonly target: { readonly kind: string; readonly id: string } | null;
  readonly address: string | null;
  readonly transport: string;
  readonly request_id: string | null;
  readonly details: JsonObject;
}

export function draftOf(event: AuditEvent, redact: Redact, at: number): Draft {
  const { principal, target, source } = event;
  const text = (one: string) => cleanText(one, redact);
  const name = (one: string) => cleanText(one, redact, MAX_NAME);
  const credential = principal?.credential;
  return {
    id: randomUUID(),
    at,
    lastAt: at,
    count: 1,
    fields: {
      action: event.action,
      outcome: event.outcome,
      principal: principal ? { id: name(principal.id), tenant_id: name(principal.tenantId) } : null,
      credential: credential
        ? { kind: credential.kind, id: credential.id === null ? null : name(credential.id) }
        : null,
      target: target ? { kind: text(target.kind), id: text(target.id) } : null,
      address: source.address === null ? null : text(source.address),
      transport: source.transport,
      request_id: source.requestId === null ? null : text(source.requestId),
      details: event.details ? cleanDetails(event.details, redact) : {},
    },
  };
}

/**
 * Events with the same one are the same thing again: of one kind from one source. What was tried, and refused, on
 * different targets is the same too, or somebody who tries them all would fill the log. So is what comes from addresses of
 * one /64 of IPv6.
 */
export function foldKey({ fields }: Draft): string {
  const { action, outcome, principal, credential, transport } = fields;
  const target = outcome === 'success' ? fields.target : null;
  const address = fields.address === null ? null : sourceOf(fields.address);
  return JSON.stringify([action, outcome, principal, credential, target, address, transport]);
}

/** The same for events from more sources than there is room for. */
export function coarseDraft({ at, fields: { action, outcome } }: Draft): Draft {
  const nobody = { principal: null, credential: null, target: null, address: null, request_id: null };
  const details = { sources: 'several' };
  return {
    id: randomUUID(),
    at,
    lastAt: at,
    count: 1,
    fields: { action, outcome, ...nobody, transport: 'server', details },
  };
}
