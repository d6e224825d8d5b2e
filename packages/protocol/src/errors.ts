/**
 * The one error table. HTTP problems, WebSocket error frames, the reference page, OpenAPI and AsyncAPI are made from it.
 * Codes of the original document come first; the rest are extensions.
 */
import { CLOSE_CODES, type CloseCode } from './close-codes.ts';

export interface ErrorDefinition {
  /** HTTP status, or `null` for a code that occurs on WebSocket frames or in run results only. */
  readonly status: number | null;
  /** The code the socket is closed with when this error ends a connection, or `null` when it never does. */
  readonly closeCode: CloseCode | null;
  /** Whether the same request can succeed later without being changed. */
  readonly retryable: boolean;
  /** What people read when the place that raised it had nothing more precise to say. */
  readonly message: string;
}

export const ERRORS = {
  SESSION_NOT_FOUND: {
    status: 404,
    closeCode: CLOSE_CODES.SESSION_NOT_FOUND,
    retryable: false,
    message: 'Session does not exist or has expired',
  },
  INVALID_ENGINE_TYPE: {
    status: 422,
    closeCode: null,
    retryable: false,
    message: 'Requested engine type is not available',
  },
  ENGINE_CREATION_FAILED: {
    status: 500,
    closeCode: null,
    retryable: true,
    message: 'Failed to create engine',
  },
  INVALID_MESSAGE_TYPE: { status: null, closeCode: null, retryable: false, message: 'Unknown message type' },
  INVALID_JSON: { status: 400, closeCode: null, retryable: false, message: 'Message is not valid JSON' },
  VALIDATION_ERROR: { status: 422, closeCode: null, retryable: false, message: 'Message failed validation' },
  WEBSOCKET_ERROR: { status: null, closeCode: null, retryable: true, message: 'Internal WebSocket error' },

  NOT_FOUND: { status: 404, closeCode: null, retryable: false, message: 'There is nothing at this address' },
  METHOD_NOT_ALLOWED: {
    status: 405,
    closeCode: null,
    retryable: false,
    message: 'This address does not answer this method',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    closeCode: null,
    retryable: false,
    message: 'The body must be application/json, or a recording where one is sent',
  },
  MESSAGE_TOO_LARGE: {
    status: 413,
    closeCode: CLOSE_CODES.TOO_BIG,
    retryable: false,
    message: 'The message is larger than the server accepts',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    closeCode: null,
    retryable: false,
    message: 'The request headers are larger than the server accepts',
  },
  INVALID_CURSOR: {
    status: 400,
    closeCode: null,
    retryable: false,
    message: 'The cursor is not one of this list',
  },
  IDEMPOTENCY_MISMATCH: {
    status: 422,
    closeCode: null,
    retryable: false,
    message: 'This id was used before with another body',
  },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    closeCode: null,
    retryable: true,
    message: 'The first request with this key is still running',
  },
  RESOURCE_LIMIT_EXCEEDED: {
    status: 429,
    closeCode: null,
    retryable: true,
    message: 'A limit of the server is reached',
  },
  RATE_LIMITED: {
    status: 429,
    closeCode: CLOSE_CODES.TOO_MANY_MESSAGES,
    retryable: true,
    message: 'Too many requests',
  },
  UNAUTHENTICATED: {
    status: 401,
    closeCode: CLOSE_CODES.CREDENTIALS_EXPIRED,
    retryable: false,
    message: 'A valid credential is needed',
  },
  FORBIDDEN: {
    status: 403,
    closeCode: CLOSE_CODES.FORBIDDEN,
    retryable: false,
    message: 'This is not allowed',
  },
  ENGINE_NOT_LINKED: {
    status: 409,
    closeCode: null,
    retryable: false,
    message: 'No engine is linked to the session',
  },
  UNKNOWN_COMMAND: {
    status: 422,
    closeCode: null,
    retryable: false,
    message: 'The engine does not know this command',
  },
  RUN_IN_PROGRESS: {
    status: 409,
    closeCode: null,
    retryable: true,
    message: 'A run of the session is not finished yet',
  },
  RUN_NOT_FOUND: {
    status: 404,
    closeCode: null,
    retryable: false,
    message: 'There is no such run in the session',
  },
  RUN_INTERRUPTED: {
    status: null,
    closeCode: null,
    retryable: true,
    message: 'The server stopped while the run was in progress',
  },
  RUN_TIMEOUT: { status: null, closeCode: null, retryable: true, message: 'The run took longer than it may' },
  MODEL_ERROR: {
    status: 502,
    closeCode: null,
    retryable: true,
    message: 'The model provider answered with an error',
  },
  TOOL_ERROR: { status: null, closeCode: null, retryable: false, message: 'A tool failed' },
  BUDGET_EXCEEDED: { status: 429, closeCode: null, retryable: false, message: 'A budget is used up' },
  REQUEST_NOT_FOUND: {
    status: 404,
    closeCode: null,
    retryable: false,
    message: 'There is no such request in the session',
  },
  REQUEST_EXPIRED: { status: 410, closeCode: null, retryable: false, message: 'The request has expired' },
  REQUEST_ALREADY_ANSWERED: {
    status: 409,
    closeCode: null,
    retryable: false,
    message: 'The request was answered by someone else',
  },
  UNAVAILABLE: {
    status: 503,
    closeCode: CLOSE_CODES.OVERLOADED,
    retryable: true,
    message: 'The server cannot do this right now',
  },
  STORAGE_FULL: { status: 507, closeCode: null, retryable: true, message: 'The storage is full' },
  INTERNAL_ERROR: { status: 500, closeCode: CLOSE_CODES.BUG, retryable: true, message: 'Internal error' },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** One field of a request that failed validation. `path` is dotted, `''` for the whole. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface ApiErrorOptions {
  /** Field errors, shown to the caller. */
  readonly errors?: readonly FieldError[];
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  readonly retryAfter?: number;
  /** What led to it; goes to the log, and to the caller only in debug mode. */
  readonly cause?: unknown;
}

/**
 * The error that every layer throws and every edge translates. `message` is shown to the caller as it is, so it never
 * holds a secret or a stack.
 */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message?: string, options: ApiErrorOptions = {}) {
    super(
      message ?? ERRORS[code].message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'ApiError';
    this.code = code;
    this.errors = options.errors;
    this.retryAfter = options.retryAfter;
  }

  get definition(): ErrorDefinition {
    return ERRORS[this.code];
  }
}
