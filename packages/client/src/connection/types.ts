import type { LlmgineError } from '../errors.ts';

/** The part of `WebSocket` that is used. Browsers, Node, Bun and `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  binaryType: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  removeEventListener(type: string, listener: (event: never) => void): void;
}
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/**
 * `idle`: not asked to connect yet. `connecting`: for the first time. `open`: what happens is seen at once. `reconnecting`:
 * lost, and tried again. `offline`: the same, and the device says that it has no network. `closed`: it stays so.
 */
export const SESSION_STATES = ['idle', 'connecting', 'open', 'reconnecting', 'offline', 'closed'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** Why a session is closed for good. */
export interface CloseReason {
  /** The close code of the socket; null when it ended without one. */
  readonly code: number | null;
  readonly reason: string;
  /** Null when the application has closed it. */
  readonly error: LlmgineError | null;
}
