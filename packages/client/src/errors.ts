import { ERRORS, type ErrorCode, type FieldError } from '@llmgine/protocol/wire';

/** What goes wrong on the side of the client: code → whether the same call can succeed later. */
export const CLIENT_ERRORS = {
  /** The server was not reached, or its answer broke off. */
  NETWORK_ERROR: { retryable: true },
  /** The connection was lost before the answer came; whether it had an effect is not known. */
  CONNECTION_LOST: { retryable: true },
  /** The session is closed, so nothing is sent any more. */
  CONNECTION_CLOSED: { retryable: false },
  /** No answer within the time that the caller gave. */
  TIMEOUT: { retryable: true },
  /** The server answered with something that this client does not understand. */
  INVALID_RESPONSE: { retryable: false },
  /** The run was cancelled, so there is no text of it. */
  RUN_CANCELLED: { retryable: false },
} as const;

export type ClientErrorCode = keyof typeof CLIENT_ERRORS;
/** The codes of the server's error table and those of the client. A newer server may have more. */
export type LlmgineErrorCode = ErrorCode | ClientErrorCode;

export interface LlmgineErrorDetails {
  readonly status?: number | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly fields?: readonly FieldError[] | undefined;
  readonly retryAfterMs?: number | null | undefined;
  readonly cause?: unknown;
}

/** Whatever goes wrong. `message` is a text for people; programs look at `code`. */
export class LlmgineError extends Error {
  readonly code: LlmgineErrorCode;
  /** Of the HTTP answer; null where there was none. */
  readonly status: number | null;
  /** Whether the same call can succeed later. */
  readonly retryable: boolean;
  /** By which the server's log knows the call; null where there is none. */
  readonly requestId: string | null;
  /** What is wrong with which field. */
  readonly fields: readonly FieldError[];
  /** How long the server asks to wait before trying again; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(code: string, message?: string, details: LlmgineErrorDetails = {}) {
    super(message ?? describe(code), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'LlmgineError';
    this.code = code as LlmgineErrorCode;
    this.status = details.status ?? null;
    this.requestId = details.requestId ?? null;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.retryable = isRetryable(code, this.status);
  }
}

function describe(code: string): string {
  return (ERRORS as Readonly<Record<string, { readonly message: string }>>)[code]?.message ?? code;
}

/** A code that is not known is judged by its status. */
function isRetryable(code: string, status: number | null): boolean {
  const tables = { ...ERRORS, ...CLIENT_ERRORS } as Readonly<Record<string, { readonly retryable: boolean }>>;
  return tables[code]?.retryable ?? (status === 429 || status === 503);
}

/** `data` of an `error` frame as an error. */
export function errorOfFrame(data: unknown): LlmgineError {
  const { code, message, errors, retry_after } = (data ?? {}) as {
    code?: string;
    message?: string;
    errors?: readonly FieldError[];
    retry_after?: number;
  };
  return new LlmgineError(code ?? 'INVALID_RESPONSE', message, {
    fields: errors,
    retryAfterMs: retry_after === undefined ? null : retry_after * 1000,
  });
}
