/**
 * The protocol for those who only speak it: types of everything, and what is needed at run time without a schema library.
 * The server keeps the schemas; a client that trusts its server needs none.
 */

export {
  ANSWER_OUTCOMES,
  ANSWERS,
  REQUEST_KINDS,
  REQUEST_OUTCOMES,
} from './answers.ts';
export { AUDIT_ACTIONS, type AuditAction } from './audit-actions.ts';
export { CLOSE_CODE_MEANINGS, CLOSE_CODES, type CloseCode } from './close-codes.ts';
export { formatCursor, parseCursor } from './cursor.ts';
export {
  ApiError,
  type ApiErrorOptions,
  ERROR_CODES,
  ERRORS,
  type ErrorCode,
  type ErrorDefinition,
  type FieldError,
} from './errors.ts';
export { SERVER_INITIATED } from './frames/server-initiated.ts';
export type * from './index.ts';
export { appendText, messageText } from './message-text.ts';
export { isFinished, RUN_OUTCOMES, RUN_STATUSES } from './run-status.ts';
export {
  BEARER_SUBPROTOCOL_PREFIX,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  TICKET_SUBPROTOCOL_PREFIX,
} from './version.ts';
