import type { CommandAccepted, MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Permission } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { FileRow, SessionKey, SessionRow } from '../storage/types.ts';

/** A frame that the server sends. */
export interface OutgoingFrame {
  readonly type: string;
  readonly data: object;
}

/** The part of a connection that follows the log of the session. */
export interface ConnectionEvents {
  /**
   * Follows the log after a cursor, or from now on, and replaces what was followed before. Events flow once `start` is
   * called. `types` limits what is shown. When the signal aborts first, it rejects and changes nothing.
   */
  subscribe(
    after: string | undefined,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<{ cursor: string; resyncRequired: boolean; start: () => void }>;
  unsubscribe(): void;
  /**
   * Sends `command_result` when the run ends, and, when `visible`, its events from its cursor on. `attached`: the run was
   * there before, so it may have ended already. Does nothing once the connection is closed.
   */
  follow(
    accepted: CommandAccepted,
    options: { messageId: MessageId | undefined; visible: boolean; attached: boolean },
  ): void;
}

/** The recordings that a connection sends, one at a time. */
export interface ConnectionAudio {
  /** The frames that follow are its bytes. When it fails later, the message of this id is answered with the error. */
  begin(mimeType: string, messageId: MessageId | undefined, signal: AbortSignal): Promise<void>;
  /** Resolves when the recording is kept; what fails, or is aborted by the signal, leaves nothing. */
  end(signal: AbortSignal): Promise<FileRow>;
}

/** One WebSocket connection, as handlers see it. */
export interface ClientConnection {
  readonly id: string;
  readonly sessionId: string;
  readonly principal: Principal;
  readonly connectedAt: Date;
  readonly remoteAddress: string;
  /** Sends a frame. Does nothing once the connection is closed. */
  send(frame: OutgoingFrame): void;
  /** From now on frames that were not asked for may be sent. */
  acceptServerFrames(): void;
  /**
   * Goes on with another credential of the same principal. Rejects with `UNAUTHENTICATED`, and `FORBIDDEN` for that of
   * somebody else; then everything stays as it was.
   */
  refresh(token: string): Promise<Principal>;
  readonly events: ConnectionEvents;
  readonly audio: ConnectionAudio;
}

export interface HandlerContext {
  readonly connection: ClientConnection;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly session: SessionKey;
  readonly services: Services;
  readonly messageId: MessageId | undefined;
  /** Aborts when the handler's time is up or the connection closes. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The session as it is now. Throws `SESSION_NOT_FOUND`. */
  loadSession(): Promise<SessionRow>;
  /** Answers with the request's `message_id`. Does nothing once the handler's time was up. */
  reply(type: string, data: object): void;
}

type Result = OutgoingFrame | undefined;

/** Handles one message type. What it returns is the reply; what it throws becomes an `error` frame. */
export interface MessageHandler<Schema extends z.ZodType = z.ZodType> {
  readonly type: string;
  /** Validates `data` before the handler runs. */
  readonly schema: Schema;
  /** What whoever sends it has to be allowed, each time; null: what everybody is who may connect. */
  readonly permission: Permission | null;
  /** True for those that never wait for the handlers before them. */
  readonly unordered?: boolean;
  /** False for reads: they do not keep the session alive. */
  readonly touches: boolean;
  handle(data: z.output<Schema>, context: HandlerContext): Result | Promise<Result>;
}

export function defineHandler<Schema extends z.ZodType>(handler: MessageHandler<Schema>): MessageHandler {
  return handler as MessageHandler;
}
