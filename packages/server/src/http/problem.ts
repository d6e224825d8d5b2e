/** RFC 9457 problems: how errors of the table look over HTTP. */
import {
  ApiError,
  type ApiErrorOptions,
  ERRORS,
  type ErrorCode,
  type FieldError,
  type Problem,
} from '@llmgine/protocol';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { RateLimited, rateLimitHeaders } from '../security/limits/rate-limited.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The stable URI of a code: where it is explained on the reference page. */
export function problemType(code: ErrorCode): string {
  return `/docs#${code}`;
}

/** A header with several values is sent as several lines. */
export type ProblemHeaders = Readonly<Record<string, string | string[]>>;

/** An error whose answer says more than its code: another status, or headers. */
export class HttpProblem extends ApiError {
  readonly status: number | undefined;
  readonly headers: ProblemHeaders;

  constructor(
    code: ErrorCode,
    message?: string,
    options: ApiErrorOptions & { status?: number; headers?: ProblemHeaders } = {},
  ) {
    super(code, message, options);
    this.name = 'HttpProblem';
    this.status = options.status;
    this.headers = options.headers ?? {};
  }
}

/** A request that is not good HTTP. The table has no code for it that comes nearer. */
export function badRequest(message: string, status = 400): HttpProblem {
  return new HttpProblem('VALIDATION_ERROR', message, { status });
}

export interface ProblemContext {
  readonly instance: string;
  readonly requestId: string;
  readonly details?: string | undefined;
}

export function problemStatus(error: ApiError): number {
  return (error instanceof HttpProblem ? error.status : undefined) ?? error.definition.status ?? 500;
}

export function problemBody(error: ApiError, context: ProblemContext): Problem {
  return {
    type: problemType(error.code),
    title: ERRORS[error.code].message,
    status: problemStatus(error),
    detail: error.message,
    instance: context.instance,
    code: error.code,
    request_id: context.requestId,
    ...(error.errors ? { errors: error.errors.map(({ path, message }) => ({ path, message })) } : {}),
    ...(context.details === undefined ? {} : { details: context.details }),
  };
}

/** Seconds after which a client should try again what the server cannot do right now, where nobody knows better. */
const UNAVAILABLE_RETRY_AFTER = 5;

export function problemHeaders(error: ApiError): Record<string, string | string[]> {
  const retryAfter = error.retryAfter ?? (error.code === 'UNAVAILABLE' ? UNAVAILABLE_RETRY_AFTER : undefined);
  return {
    ...(error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer' } : {}),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) }),
    ...(error instanceof RateLimited ? rateLimitHeaders(error.quota) : {}),
    ...(error instanceof HttpProblem ? error.headers : {}),
  };
}

/** Framework errors that are the caller's. What is not here is told by its status. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_BODY_TOO_LARGE: 'MESSAGE_TOO_LARGE',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_JSON',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_JSON',
  FST_ERR_BAD_URL: 'NOT_FOUND',
  FST_ERR_MAX_PARAM_LENGTH: 'NOT_FOUND',
};
const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'MESSAGE_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
};

/** Whatever was thrown, as an error of the table. What nobody expected becomes `INTERNAL_ERROR` without its text. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors: FieldError[] = error.validation.map((issue) => ({
      path: issue.instancePath.slice(1).replaceAll('/', '.'),
      message: issue.message ?? 'is not valid',
    }));
    const first = errors[0];
    const text = first ? `${first.path ? `${first.path}: ` : ''}${first.message}` : undefined;
    return new ApiError('VALIDATION_ERROR', text, { errors, cause: error });
  }
  // Anything can be thrown, also nothing.
  const thrown = (error ?? {}) as { code?: string; statusCode?: number; message?: string };
  const { code, statusCode, message } = thrown;
  const known = FRAMEWORK_CODES[code ?? ''] ?? STATUS_CODES[statusCode ?? 0];
  if (known) return new ApiError(known, undefined, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return badRequest(message ?? '', statusCode);
  return new ApiError('INTERNAL_ERROR', undefined, { cause: error });
}
