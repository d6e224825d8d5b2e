/** Types of REST bodies that have no name of their own in the protocol. */
import type {
  cancelRunResponseSchema,
  commandPendingSchema,
  createSessionResponseSchema,
  engineDetailSchema,
  engineTypesResponseSchema,
  eventPageSchema,
  JsonObject,
  messagePageSchema,
  requestPageSchema,
  runPageSchema,
  SessionEvent,
  SessionStatus,
} from '@llmgine/protocol/wire';

type Of<Schema extends { readonly _output: unknown }> = Schema['_output'];

export type SessionCreated = Of<typeof createSessionResponseSchema>;
export type CommandPending = Of<typeof commandPendingSchema>;
export type EngineDetail = Of<typeof engineDetailSchema>;
export type EngineTypes = Of<typeof engineTypesResponseSchema>;
export type MessagePage = Of<typeof messagePageSchema>;
export type RunPage = Of<typeof runPageSchema>;
export type RequestPage = Of<typeof requestPageSchema>;
export type RunCancelled = Of<typeof cancelRunResponseSchema>;
export type EventPage = Omit<Of<typeof eventPageSchema>, 'events'> & { readonly events: SessionEvent[] };

/** Which sessions a list has. */
export interface ListSessionsOptions {
  /** 1 to 100; default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
  readonly offset?: number;
  readonly status?: SessionStatus;
  /** Sessions whose metadata has these texts. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface NewKey {
  /** For people: what the key is for. */
  readonly name: string;
  /** Default `user`. */
  readonly role?: string;
  readonly scopes?: readonly string[] | null;
  readonly tenant_id?: string;
  readonly principal_id?: string;
  readonly expires_at?: string | null;
}

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly tenant_id: string;
  readonly principal_id: string;
  readonly role: string;
  readonly scopes: string[] | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
  readonly successor_id: string | null;
  readonly status: 'active' | 'expired' | 'revoked';
}
/** `key` is shown this once. */
export type IssuedApiKey = ApiKey & { readonly key: string };

export interface AuditEntry {
  readonly number: number;
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
  readonly count?: number;
  readonly last_at?: string;
  readonly principal: { readonly id: string; readonly tenant_id: string } | null;
  readonly credential: { readonly kind: string; readonly id: string | null } | null;
  readonly target: { readonly kind: string; readonly id: string } | null;
  readonly address: string | null;
  readonly transport: string;
  readonly request_id: string | null;
  readonly details: JsonObject;
  readonly hash: string;
}
