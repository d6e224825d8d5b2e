/**
 * The protocol for those who only speak it: types of everything, and what is needed at run time without a schema library.
 * The server keeps the schemas; a client that trusts its server needs none.
 */
export { CLOSE_CODE_MEANINGS, CLOSE_CODES, type CloseCode } from './close-codes.ts';
export type * from './index.ts';
export {
  ApiError,
  type ApiErrorOptions,
  ERROR_CODES,
  ERRORS,
  type ErrorCode,
  type ErrorDefinition,
  type FieldError,
} from './errors.ts';
export {
  BEARER_SUBPROTOCOL_PREFIX,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  TICKET_SUBPROTOCOL_PREFIX,
} from './version.ts';
