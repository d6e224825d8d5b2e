/** One WebSocket, from its handshake to its end. */

import type { WebSocketConstructor, WebSocketLike } from './types.ts';
import { Watchdog } from './watchdog.ts';

const OPEN = 1;

export interface SocketOptions {
  readonly WebSocket: WebSocketConstructor;
  readonly url: string;
  readonly protocols: string[];
  /** Milliseconds for the handshake. */
  readonly openTimeoutMs: number;
  readonly heartbeat: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onEnd: (end: SocketEnd) => void;
}

export interface SocketEnd {
  /** Null when the connection just broke, or nothing came through any more. */
  readonly code: number | null;
  readonly reason: string;
  /** False when the handshake has failed. */
  readonly opened: boolean;
}

/** Codes that stand for the lack of one. */
const NO_CODE = new Set([1005, 1006, 1015]);
const PING = JSON.stringify({ type: 'ping', data: {} });

export class Socket {
  readonly #options: SocketOptions;
  readonly #ws: WebSocketLike;
  readonly #opening: ReturnType<typeof setTimeout>;
  #watchdog: Watchdog | null = null;
  #opened = false;
  #ended = false;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.#ws = new options.WebSocket(options.url, options.protocols);
    this.#ws.binaryType = 'arraybuffer';
    this.#opening = setTimeout(() => this.#end(null, 'the handshake takes too long'), options.openTimeoutMs);
    this.#ws.addEventListener('open', this.#onOpen);
    this.#ws.addEventListener('message', this.#onMessage);
    this.#ws.addEventListener('close', this.#onClose);
    // What it means shows as the close that follows; without a listener, some platforms throw.
    this.#ws.addEventListener('error', () => {});
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    return this.#ws.bufferedAmount;
  }

  /** False when it cannot be sent any more. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#ended || this.#ws.readyState !== OPEN) return false;
    this.#ws.send(data);
    return true;
  }

  /** Asks the other side whether it is still there. */
  suspect(): void {
    this.#watchdog?.suspect();
  }

  /** Nothing of it is heard any more, not even its end. */
  close(code: number, reason: string): void {
    this.#detach();
    try {
      this.#ws.close(code, reason);
    } catch {
      // Some platforms throw when it never opened.
    }
  }

  readonly #onOpen = () => {
    clearTimeout(this.#opening);
    this.#opened = true;
    this.#watchdog = new Watchdog({
      ...this.#options.heartbeat,
      ask: () => this.send(PING),
      dead: () => this.#end(null, 'no answer to a ping'),
    });
    this.#options.onOpen();
  };

  readonly #onMessage = ({ data }: { data: unknown }) => {
    this.#watchdog?.heard();
    if (typeof data === 'string') this.#options.onText(data);
  };

  readonly #onClose = ({ code, reason }: { code: number; reason: string }) => {
    this.#end(NO_CODE.has(code) ? null : code, reason);
  };

  /** The platform may take long to notice that nobody answers its close: nobody waits for that. */
  #end(code: number | null, reason: string): void {
    if (this.#ended) return;
    this.close(1000, '');
    this.#options.onEnd({ code, reason, opened: this.#opened });
  }

  #detach(): void {
    this.#ended = true;
    clearTimeout(this.#opening);
    this.#watchdog?.stop();
    this.#ws.removeEventListener('open', this.#onOpen);
    this.#ws.removeEventListener('message', this.#onMessage);
    this.#ws.removeEventListener('close', this.#onClose);
  }
}
