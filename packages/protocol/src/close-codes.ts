/** WebSocket close codes: RFC 6455 section 7.4.1, the IANA registry (1012, 1013), and our own from 4000. */
export const CLOSE_CODES = {
  NORMAL: 1000,
  /** The server stops at once. */
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  NOT_UTF8: 1007,
  TOO_BIG: 1009,
  BUG: 1011,
  /** The server drains: resume elsewhere from the cursor of `going_away`. */
  DRAINING: 1012,
  OVERLOADED: 1013,
  CREDENTIALS_EXPIRED: 4001,
  FORBIDDEN: 4003,
  /** The session does not exist, was deleted or has expired. */
  SESSION_NOT_FOUND: 4004,
  TOO_MANY_MESSAGES: 4008,
  /** The client reads too slowly; it may connect again and resume from its cursor. */
  TOO_SLOW: 4009,
  CREDENTIALS_REVOKED: 4010,
} as const;

export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];

/** What each close code means for a client: whether connecting again can help. */
export const CLOSE_CODE_MEANINGS: Readonly<Record<CloseCode, { text: string; reconnect: boolean }>> = {
  1000: { text: 'normal', reconnect: false },
  1001: { text: 'the server stops', reconnect: true },
  1002: { text: 'protocol error', reconnect: false },
  1007: { text: 'text that is not UTF-8', reconnect: false },
  1009: { text: 'message too big', reconnect: false },
  1011: { text: 'internal error', reconnect: true },
  1012: { text: 'the server drains, resume elsewhere', reconnect: true },
  1013: { text: 'the server is overloaded', reconnect: true },
  4001: { text: 'credentials expired', reconnect: true },
  4003: { text: 'forbidden', reconnect: false },
  4004: { text: 'session not found, deleted or expired', reconnect: false },
  4008: { text: 'too many messages', reconnect: true },
  4009: { text: 'too slow, resume', reconnect: true },
  4010: { text: 'credentials revoked', reconnect: false },
};
