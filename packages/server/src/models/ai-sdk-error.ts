import {
  AISDKError,
  APICallError,
  InvalidResponseDataError,
  JSONParseError,
  TypeValidationError,
} from '@ai-sdk/provider';
import { ApiError } from '@llmgine/protocol';
import {
  connectionError,
  droppedError,
  garbledError,
  httpError,
  providerError,
  type Redact,
  retryAfterSeconds,
} from './model-error.ts';

const MAX_CAUSES = 4;

/**
 * What the AI SDK throws, and what it puts into a stream as an error, as `MODEL_ERROR`. Its errors carry the request and
 * the response, so none of them becomes a `cause`: causes are logged.
 *
 * @param otherwise Makes the error of anything that is not the SDK's own, for example of a broken connection.
 */
export function toModelError(
  error: unknown,
  redact: Redact,
  otherwise: (error: unknown) => ApiError = (unknown) => providerError(unknown, redact),
): ApiError {
  const own = ownError(error);
  if (own) return own;
  if (APICallError.isInstance(error)) return callError(error, redact);
  // Without data it means that the stream ended before a finish reason.
  if (InvalidResponseDataError.isInstance(error))
    return error.data === undefined ? droppedError() : garbledError();
  if (JSONParseError.isInstance(error) || TypeValidationError.isInstance(error)) return garbledError();
  return AISDKError.isInstance(error) ? providerError(error, redact) : otherwise(error);
}

function callError(error: APICallError, redact: Redact): ApiError {
  const { statusCode, responseBody, responseHeaders = {} } = error;
  if (statusCode !== undefined && statusCode >= 300) {
    return httpError(statusCode, responseBody || error.message, redact, retryAfterSeconds(responseHeaders));
  }
  const { cause } = error;
  const isNetwork = cause instanceof Error && !AISDKError.isInstance(cause);
  if (statusCode !== undefined) return isNetwork ? droppedError(cause) : garbledError();
  return isNetwork ? connectionError(cause) : providerError(error, redact);
}

/** An error of ours comes back in what the platform makes of it, for example `TypeError: terminated`. */
function ownError(error: unknown, depth = 0): ApiError | undefined {
  if (error instanceof ApiError) return error;
  return error instanceof Error && depth < MAX_CAUSES ? ownError(error.cause, depth + 1) : undefined;
}
