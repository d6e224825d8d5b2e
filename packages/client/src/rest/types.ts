/** Types of REST bodies that have no name of their own in the protocol. */
import type {
  AuditEntry,
  cancelRunResponseSchema,
  commandPendingSchema,
  createSessionResponseSchema,
  engineDetailSchema,
  engineTypesResponseSchema,
  eventPageSchema,
  IssuedKey,
  KeyView,
  messagePageSchema,
  NewKeyInput,
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

export type NewKey = NewKeyInput;
export type ApiKey = KeyView;
/** `key` is shown this once. */
export type IssuedApiKey = IssuedKey;
export type { AuditEntry };
