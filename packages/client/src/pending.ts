/** What was sent and is not answered yet, in the order in which it was sent first. */
import { errorOfFrame, LlmgineError } from './errors.ts';

/** A frame of the server. */
export interface InFrame {
  readonly type: string;
  readonly message_id?: string | number;
  readonly server_initiated?: boolean;
  readonly data: unknown;
}

export interface PendingOptions<T> {
  /**
   * Whether sending it twice has its effect once: then it is sent again on the next connection, until it is answered.
   * Anything else is rejected with `CONNECTION_LOST` when the connection is lost after it was sent.
   */
  readonly repeatable: boolean;
  /** What a reply means: the value, or undefined when another one follows. */
  readonly settle: (reply: InFrame) => T | undefined;
  /** Stops the waiting, not what was sent. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the answer. Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

interface Entry {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly repeatable: boolean;
  /** True when it is over. */
  readonly onReply: (reply: InFrame) => boolean;
  readonly reject: (error: unknown) => void;
  sent: boolean;
  refusals: number;
}

/** How often something that is refused for the moment is sent again. */
const MAX_REFUSALS = 8;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 10_000;

export class Pending {
  readonly #entries = new Map<string, Entry>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #send: ((text: string, type: string) => void) | null = null;
  #closed: LlmgineError | null = null;
  #count = 0;
  /** Of a frame, in bytes; null while nobody has said. */
  #maxSize: number | null = null;

  limit(maxSize: number): void {
    this.#maxSize = maxSize;
  }

  /** Sends it as soon as there is a connection. Rejects with `LlmgineError`, or the reason of the signal. */
  request<T>(type: string, data: object, options: PendingOptions<T>): Promise<T> {
    const { signal, timeoutMs, settle, repeatable } = options;
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw this.#closed;
      const id = `m${++this.#count}`;
      const text = JSON.stringify({ type, message_id: id, data });
      const error = this.#tooLarge(text);
      if (error) throw error;
      const over = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        this.#entries.delete(id);
      };
      const entry: Entry = {
        id,
        type,
        text,
        repeatable,
        sent: false,
        refusals: 0,
        onReply: (reply) => {
          if (reply.type === 'error') return this.#refused(entry, errorOfFrame(reply.data));
          const value = settle(reply);
          if (value === undefined) return false;
          over();
          resolve(value);
          return true;
        },
        reject: (error) => {
          over();
          reject(error);
        },
      };
      const aborted = () => entry.reject(signal?.reason);
      signal?.addEventListener('abort', aborted, { once: true });
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(
              () => entry.reject(new LlmgineError('TIMEOUT', `No answer to ${type} in time`)),
              timeoutMs,
            );
      this.#entries.set(id, entry);
      this.#transmit(entry);
    });
  }

  /** There is a connection: sends what waits, and again what may be sent again. */
  connected(send: (text: string, type: string) => void): void {
    this.#send = send;
    this.#clearTimers();
    for (const entry of [...this.#entries.values()]) {
      // How much it may be was not known yet when it was given.
      const error = this.#tooLarge(entry.text);
      if (error) entry.reject(error);
      else this.#transmit(entry);
    }
  }

  disconnected(): void {
    this.#send = null;
    this.#clearTimers();
    for (const entry of [...this.#entries.values()]) {
      if (entry.sent && !entry.repeatable) {
        entry.reject(
          new LlmgineError('CONNECTION_LOST', `The connection was lost before ${entry.type} was answered`),
        );
      }
    }
  }

  /** Whether it was the answer to something. */
  receive(frame: InFrame): boolean {
    const { message_id: id } = frame;
    const entry = typeof id === 'string' ? this.#entries.get(id) : undefined;
    entry?.onReply(frame);
    return entry !== undefined;
  }

  /** There will be no connection any more, until `reopen`. */
  close(error: LlmgineError): void {
    this.#closed = error;
    this.disconnected();
    for (const entry of [...this.#entries.values()]) entry.reject(error);
  }

  reopen(): void {
    this.#closed = null;
  }

  #transmit(entry: Entry): void {
    if (!this.#send) return;
    entry.sent = true;
    this.#send(entry.text, entry.type);
  }

  /** Refused for the moment it is sent again later: it had no effect, or may be repeated. */
  #refused(entry: Entry, error: LlmgineError): boolean {
    const { code } = error;
    const forNow = code === 'RATE_LIMITED' || (code === 'UNAVAILABLE' && entry.repeatable);
    if (!forNow || ++entry.refusals > MAX_REFUSALS) {
      entry.reject(error);
      return true;
    }
    const jittered = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** entry.refusals);
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (this.#entries.has(entry.id)) this.#transmit(entry);
      },
      Math.max(error.retryAfterMs ?? 0, jittered),
    );
    this.#timers.add(timer);
    return false;
  }

  /** The server closes the connection for a frame that is too large, so it is not sent. */
  #tooLarge(text: string): LlmgineError | null {
    const max = this.#maxSize;
    if (max === null || text.length * 3 <= max) return null;
    if (new TextEncoder().encode(text).length <= max) return null;
    return new LlmgineError('MESSAGE_TOO_LARGE', `A message may have ${max} bytes at most`);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
