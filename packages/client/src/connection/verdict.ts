/** What the end of a connection means for what comes next. */
import { CLOSE_CODE_MEANINGS, CLOSE_CODES, type CloseCode, ERRORS } from '@llmgine/protocol/wire';
import { LlmgineError } from '../errors.ts';

/** Whether connecting again can help. A code that nobody knows comes from a newer server, and may. */
export function mayReconnect(code: number | null): boolean {
  return code === null || (CLOSE_CODE_MEANINGS[code as CloseCode]?.reconnect ?? true);
}

/** The error that a close code stands for. */
export function errorOfClose(code: number | null, reason: string): LlmgineError {
  if (code === null) return new LlmgineError('CONNECTION_LOST', reason || 'The connection was lost');
  const text = reason || CLOSE_CODE_MEANINGS[code as CloseCode]?.text;
  const message = `The server closed the connection: ${text || code}`;
  if (code === CLOSE_CODES.CREDENTIALS_REVOKED) return new LlmgineError('UNAUTHENTICATED', message);
  const found = Object.entries(ERRORS).find(([, { closeCode }]) => closeCode === code);
  return new LlmgineError(found?.[0] ?? 'CONNECTION_CLOSED', message);
}

/** Whether a call that prepares a connection was refused for good. */
export function isFinal(error: LlmgineError): boolean {
  return error.status !== null && !error.retryable && error.status < 500;
}
