import WebSocket from 'ws';

export interface ConnectionEvents {
  readonly onOpen: () => void;
  readonly onFrame: (text: string) => void;
}

/** One WebSocket that says when it is over, also when the other side has just fallen silent. */
export class ClientConnection {
  readonly #ws: WebSocket;
  readonly #silenceMs: number;

  constructor(url: string, silenceMs: number) {
    this.#ws = new WebSocket(url, { handshakeTimeout: silenceMs });
    this.#silenceMs = silenceMs;
  }

  /** Resolves with the close code when it is over; 1006 when there was none. */
  run({ onOpen, onFrame }: ConnectionEvents): Promise<{ readonly code: number }> {
    const ws = this.#ws;
    return new Promise((resolve) => {
      let heard = true;
      const heartbeat = setInterval(() => {
        if (ws.readyState !== WebSocket.OPEN) return;
        if (!heard) {
          ws.terminate();
          return;
        }
        heard = false;
        ws.ping();
      }, this.#silenceMs / 2);
      ws.on('open', onOpen);
      ws.on('message', (data) => {
        heard = true;
        onFrame(String(data));
      });
      ws.on('pong', () => (heard = true));
      // It shows as the close that follows.
      ws.on('error', () => {});
      ws.on('close', (code) => {
        clearInterval(heartbeat);
        resolve({ code });
      });
    });
  }

  /** What cannot be sent any more is lost, as on the way. */
  send(frame: object): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame));
  }

  terminate(): void {
    this.#ws.terminate();
  }
}
