/** Conversations that move: from a session into a fork, out of one as an export, and into one as an import. */
import type { Message } from '@llmgine/protocol';
import type { IdempotencyRecord, NewSession, SessionKey } from './rows.ts';

/** `head_seq` of a session that is being imported. Its `deleted_at` is when it will be gone, should nothing more come. */
export const IMPORTING = -1;

/** Where a session came from; nothing of it has to be there any more. */
export interface ForkOrigin {
  readonly sessionId: string;
  /** The last message that was taken over; null when there was none. */
  readonly messageId: string | null;
}

/** The end of a run, where a fork may begin. It never moves. */
export interface ForkPoint {
  readonly messageId: string | null;
  /** Of the run; everything up to it is taken over. 0: nothing is. */
  readonly acceptedSeq: number;
  /** The highest `seq` of what is taken over. */
  readonly headSeq: number;
}

export type ForkRefusal = 'session_not_found' | 'message_not_found' | 'not_a_run_end';

/** Where a message stands in the order of a conversation. */
export interface MessagePlace {
  readonly acceptedSeq: number;
  readonly seq: number;
}

export interface ConversationPage {
  /** In the order of the conversation: of the runs, and inside of them as they came. */
  readonly messages: readonly Message[];
  /** `after` of the next page, or null on the last. */
  readonly next: MessagePlace | null;
}

/** A message on its way in. Its place in the file is its place in the log. */
export interface ImportedMessage extends MessagePlace {
  readonly message: Message;
}

export interface SessionRoom {
  readonly maxSessions: number;
  readonly maxOfOwner?: number | undefined;
}

/** How a session that is not made from nothing could not be made; nothing has changed then. */
export type TransferRefusal = 'not_there' | 'full' | 'owner_full' | 'idempotency_exists';

export interface TransferStorage {
  /**
   * The end of the run of this message, or the newest one. No run that had its turn before may be unfinished. What
   * belongs to no run is an end of its own.
   */
  forkPoint(key: SessionKey, messageId: string | null): Promise<ForkPoint | ForkRefusal>;
  /**
   * Makes a session with the messages of another one up to a point: it is there at once, with its counters and the record.
   * The log goes on behind the last of them: `floorSeq` is there, and the events of the new session follow. `not_there` when the
   * other session is gone. What was copied of one that was not made is kept until `abandon`.
   */
  fork(
    parent: SessionKey,
    point: ForkPoint,
    session: NewSession,
    room: SessionRoom,
    idempotency?: IdempotencyRecord,
  ): Promise<'created' | TransferRefusal>;
  /**
   * Messages up to `upTo` (a `seq`) in the order of the conversation: at most `limit`, and fewer when they have more than
   * `MAX_PAGE_SIZE` together. They are the same whatever is appended meanwhile. Null when the session is not there.
   */
  conversationPage(
    key: SessionKey,
    options: { readonly upTo: number; readonly limit: number; readonly after: MessagePlace | null },
  ): Promise<ConversationPage | null>;

  /** Begins a session that no query finds, and no limit counts, before it is completed. It is kept until `keepUntil`. */
  begin(key: SessionKey, epoch: string, keepUntil: number): Promise<void>;
  /** Adds messages to it, also none; false when it is gone. The same once more changes nothing. */
  add(key: SessionKey, messages: readonly ImportedMessage[], keepUntil: number): Promise<boolean>;
  /**
   * It is there from now on, in one transaction with its counters and the record. `headSeq` is the `seq` of its last
   * message; its events follow.
   */
  complete(
    session: NewSession,
    headSeq: number,
    room: SessionRoom,
    idempotency?: IdempotencyRecord,
  ): Promise<'created' | TransferRefusal>;
  /** What was added, or copied, goes with `purge`. Changes nothing when it is completed, or gone. */
  abandon(key: SessionKey): Promise<void>;
}
