import {
  ApiError,
  CLOSE_CODE_MEANINGS,
  CLOSE_CODES,
  ERROR_CODES,
  ERRORS,
  type ErrorCode,
} from '@llmgine/protocol';
import { expect, test } from 'vitest';

/** As documented: the HTTP status, null for what occurs on WebSocket and in runs only. */
const DOCUMENTED: Record<ErrorCode, number | null> = {
  // The codes of the original document.
  SESSION_NOT_FOUND: 404,
  INVALID_ENGINE_TYPE: 422,
  ENGINE_CREATION_FAILED: 500,
  INVALID_MESSAGE_TYPE: null,
  INVALID_JSON: 400,
  VALIDATION_ERROR: 422,
  WEBSOCKET_ERROR: null,
  // Those beyond it.
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  UNSUPPORTED_MEDIA_TYPE: 415,
  MESSAGE_TOO_LARGE: 413,
  HEADERS_TOO_LARGE: 431,
  INVALID_CURSOR: 400,
  IDEMPOTENCY_MISMATCH: 422,
  IDEMPOTENCY_IN_PROGRESS: 409,
  RESOURCE_LIMIT_EXCEEDED: 429,
  RATE_LIMITED: 429,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  ENGINE_NOT_LINKED: 409,
  UNKNOWN_COMMAND: 422,
  RUN_IN_PROGRESS: 409,
  RUN_NOT_FOUND: 404,
  RUN_INTERRUPTED: null,
  RUN_TIMEOUT: null,
  MODEL_ERROR: 502,
  TOOL_ERROR: null,
  BUDGET_EXCEEDED: 429,
  REQUEST_NOT_FOUND: 404,
  REQUEST_EXPIRED: 410,
  REQUEST_ALREADY_ANSWERED: 409,
  UNAVAILABLE: 503,
  STORAGE_FULL: 507,
  INTERNAL_ERROR: 500,
};

test('the table has the documented codes with their statuses, and no others', () => {
  expect(Object.fromEntries(ERROR_CODES.map((code) => [code, ERRORS[code].status]))).toEqual(DOCUMENTED);
});

test.each(ERROR_CODES)('%s can be shown: a name, a message for people, a close code that exists', (code) => {
  const { message, closeCode } = ERRORS[code];
  expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
  expect(message).toMatch(/^[A-Z].*[^.\s]$/);
  if (closeCode === null) return;
  expect(Object.values(CLOSE_CODES)).toContain(closeCode);
  // The reason of a close frame has room for so much.
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(123);
});

test('the close codes are the documented ones, legal on the wire, and each says whether to come back', () => {
  expect(CLOSE_CODES).toEqual({
    NORMAL: 1000,
    GOING_AWAY: 1001,
    PROTOCOL_ERROR: 1002,
    NOT_UTF8: 1007,
    TOO_BIG: 1009,
    BUG: 1011,
    DRAINING: 1012,
    OVERLOADED: 1013,
    CREDENTIALS_EXPIRED: 4001,
    FORBIDDEN: 4003,
    SESSION_NOT_FOUND: 4004,
    TOO_MANY_MESSAGES: 4008,
    TOO_SLOW: 4009,
    CREDENTIALS_REVOKED: 4010,
  });
  const codes = Object.values(CLOSE_CODES);
  expect(Object.keys(CLOSE_CODE_MEANINGS).map(Number)).toEqual(codes);
  for (const code of codes) expect(CLOSE_CODE_MEANINGS[code].text).toMatch(/\S/);
  const comeBack = codes.filter((code) => CLOSE_CODE_MEANINGS[code].reconnect);
  expect(comeBack).toEqual([1001, 1011, 1012, 1013, 4001, 4008, 4009]);
});

test('an error says what the table says, unless it knows better', () => {
  const plain = new ApiError('RUN_NOT_FOUND');
  expect(plain).toMatchObject({
    name: 'ApiError',
    code: 'RUN_NOT_FOUND',
    message: ERRORS.RUN_NOT_FOUND.message,
  });
  expect(plain.definition).toBe(ERRORS.RUN_NOT_FOUND);
  expect([plain.errors, plain.retryAfter, plain.cause]).toEqual([undefined, undefined, undefined]);
  const cause = new Error('disk');
  const errors = [{ path: 'data.x', message: 'is wrong' }];
  expect(new ApiError('UNAVAILABLE', 'Later', { cause, errors, retryAfter: 3 })).toMatchObject({
    message: 'Later',
    cause,
    errors,
    retryAfter: 3,
  });
});
