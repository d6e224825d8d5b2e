/** Keeps one connection alive: opens it, opens it again when it is lost, and ends when the server says so. */
import { CLOSE_CODES } from '@llmgine/protocol/wire';
import { LlmgineError } from '../errors.ts';
import { Backoff } from './backoff.ts';
import { isOffline, onNetworkChange } from './network.ts';
import { Socket, type SocketEnd } from './socket.ts';
import type { CloseReason, SessionState, WebSocketConstructor } from './types.ts';
import { errorOfClose, isFinal, mayReconnect } from './verdict.ts';

export interface ConnectionTimes {
  /** The first wait before connecting again is at most this long; it doubles with each attempt. Default 250. */
  readonly firstDelayMs: number;
  /** Default 15 000. */
  readonly maxDelayMs: number;
  /** A connection that lived so long was a good one: waits start anew. Default 10 000. */
  readonly stableMs: number;
  /** For the handshake. Default 15 000. */
  readonly openTimeoutMs: number;
  /** Silence after which the server is asked whether it is there. Default 25 000. */
  readonly heartbeatMs: number;
  /** For its answer. Default 10 000. */
  readonly heartbeatTimeoutMs: number;
}

export const DEFAULT_TIMES: ConnectionTimes = {
  firstDelayMs: 250,
  maxDelayMs: 15_000,
  stableMs: 10_000,
  openTimeoutMs: 15_000,
  heartbeatMs: 25_000,
  heartbeatTimeoutMs: 10_000,
};

export interface ConnectionOptions {
  readonly WebSocket: WebSocketConstructor;
  readonly times: ConnectionTimes;
  /** Where to connect, asked for each attempt. Rejects when that is refused. */
  readonly address: () => Promise<{ readonly url: string; readonly protocols: string[] }>;
  /** Why a handshake may have failed, which no socket says. Rejects with the reason; resolves when there is none. */
  readonly probe: () => Promise<void>;
  /** The credential was not accepted any more. Returns whether there can be another one. */
  readonly refreshCredential: () => boolean;
  /** The socket is open: `ready()` is to be called when the session is as it should be. */
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  /** The socket is gone. */
  readonly onLost: () => void;
  readonly onState: () => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #backoff: Backoff;
  #state: SessionState = 'idle';
  #closeReason: CloseReason | null = null;
  #error: LlmgineError | null = null;
  #socket: Socket | null = null;
  /** Of the life between `connect` and `close`: what was begun in an earlier one counts no more. */
  #life = 0;
  #wait: { readonly timer: ReturnType<typeof setTimeout>; readonly end: () => void } | null = null;
  #stable: ReturnType<typeof setTimeout> | undefined;
  #forgetNetwork: (() => void) | null = null;
  /** The last connection ended because of its credential, and nothing good came since. */
  #refusedOnce = false;
  #wasOpen = false;
  /** What the server asked to wait, in a frame before it closed. */
  #askedDelayMs: number | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { firstDelayMs, maxDelayMs } = options.times;
    this.#backoff = new Backoff({ firstMs: firstDelayMs, maxMs: maxDelayMs });
  }

  get state(): SessionState {
    return this.#state;
  }

  get closeReason(): CloseReason | null {
    return this.#closeReason;
  }

  /** What went wrong last, while it is not open. */
  get error(): LlmgineError | null {
    return this.#error;
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Does nothing when it is connected, or tries to be. */
  connect(): void {
    if (this.#state !== 'idle' && this.#state !== 'closed') return;
    this.#life++;
    this.#closeReason = null;
    this.#error = null;
    this.#refusedOnce = false;
    this.#backoff.reset();
    this.#forgetNetwork = onNetworkChange(() => this.#networkChanged());
    this.#become('connecting');
    void this.#attempt(this.#life);
  }

  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    return this.#socket?.send(data) ?? false;
  }

  /** The session is subscribed on this socket. */
  ready(): void {
    this.#error = null;
    this.#wasOpen = true;
    clearTimeout(this.#stable);
    this.#stable = setTimeout(() => {
      this.#backoff.reset();
      this.#refusedOnce = false;
    }, this.#options.times.stableMs);
    this.#become('open');
  }

  /** The server says that it goes, and when to come again. */
  goingAway(reconnectAfterMs: number): void {
    this.#askedDelayMs = reconnectAfterMs;
  }

  /** This socket is of no use: tries another one. */
  drop(error: LlmgineError): void {
    const life = this.#life;
    if (!this.#socket) return;
    this.#socket.close(1000, '');
    this.#socket = null;
    this.#lost();
    this.#again(life, error, Math.max(error.retryAfterMs ?? 0, this.#backoff.next()));
  }

  /** For good, unless somebody connects it again. */
  close(reason: CloseReason): void {
    if (this.#state === 'closed') return;
    this.#life++;
    this.#forgetNetwork?.();
    this.#forgetNetwork = null;
    clearTimeout(this.#stable);
    this.#endWait();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(CLOSE_CODES.NORMAL, '');
    if (socket) this.#lost();
    this.#closeReason = reason;
    this.#error = reason.error;
    this.#become('closed');
  }

  async #attempt(life: number): Promise<void> {
    const { address, WebSocket, times, onText, onOpen } = this.#options;
    try {
      const { url, protocols } = await address();
      if (life !== this.#life) return;
      this.#askedDelayMs = null;
      this.#socket = new Socket({
        WebSocket,
        url,
        protocols,
        openTimeoutMs: times.openTimeoutMs,
        heartbeat: { intervalMs: times.heartbeatMs, timeoutMs: times.heartbeatTimeoutMs },
        onOpen,
        onText,
        onEnd: (end) => void this.#ended(life, end),
      });
    } catch (error) {
      if (life === this.#life) this.#refused(life, toError(error));
    }
  }

  async #ended(life: number, { code, reason, opened }: SocketEnd): Promise<void> {
    this.#socket = null;
    clearTimeout(this.#stable);
    this.#lost();
    const error = errorOfClose(code, reason);
    if (!opened) {
      this.#waiting(error);
      try {
        await this.#options.probe();
      } catch (refusal) {
        if (life === this.#life) this.#refused(life, toError(refusal));
        return;
      }
      if (life === this.#life) this.#again(life, error, this.#backoff.next());
    } else if (code === CLOSE_CODES.CREDENTIALS_EXPIRED) {
      const canRefresh = this.#options.refreshCredential();
      if (this.#refusedOnce) this.close({ code, reason, error });
      else {
        this.#refusedOnce = true;
        this.#again(life, error, canRefresh ? 0 : this.#backoff.next());
      }
    } else if (!mayReconnect(code)) {
      this.close({ code, reason, error });
    } else {
      this.#again(life, error, this.#askedDelayMs ?? this.#backoff.next());
    }
  }

  /** What had to come before the connection was refused. */
  #refused(life: number, error: LlmgineError): void {
    // Who was there once knows the address: what answers now without being the server stands in its way.
    const isStranger = error.code === 'INVALID_RESPONSE' && this.#wasOpen;
    if (isFinal(error) && !isStranger) this.close({ code: null, reason: error.message, error });
    else this.#again(life, error, Math.max(error.retryAfterMs ?? 0, this.#backoff.next()));
  }

  #again(life: number, error: LlmgineError, delayMs: number): void {
    this.#waiting(error);
    const end = () => {
      this.#wait = null;
      if (life === this.#life) void this.#attempt(life);
    };
    this.#wait = { timer: setTimeout(end, delayMs), end };
  }

  #waiting(error: LlmgineError): void {
    this.#error = error;
    this.#become(isOffline() ? 'offline' : this.#state === 'connecting' ? 'connecting' : 'reconnecting');
  }

  #lost(): void {
    clearTimeout(this.#stable);
    this.#options.onLost();
  }

  #endWait(): void {
    if (this.#wait) clearTimeout(this.#wait.timer);
    this.#wait = null;
  }

  #networkChanged(): void {
    if (this.#socket) {
      this.#socket.suspect();
      return;
    }
    if (this.#error) this.#waiting(this.#error);
    const wait = this.#wait;
    if (!wait || isOffline()) return;
    clearTimeout(wait.timer);
    wait.end();
  }

  #become(state: SessionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState();
  }
}

function toError(error: unknown): LlmgineError {
  if (error instanceof LlmgineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LlmgineError('NETWORK_ERROR', message, { cause: error });
}
