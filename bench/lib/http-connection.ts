/**
 * A connection that sends one request at a time and reads no more of an answer than its status and its length. A full
 * client takes more CPU than the subjects do, and would be what is measured.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Without its head. */
  readonly bytes: number;
}

interface Pending {
  /** Until its end was seen. */
  head: Buffer | undefined;
  status: number;
  bytes: number;
  left: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #pending: Pending | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#pending?.reject(error));
    socket.on('close', () => this.#pending?.reject(new Error('the connection was closed')));
  }

  static async open(origin: string): Promise<HttpConnection> {
    const { hostname, port, host } = new URL(origin);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new HttpConnection(socket, host);
  }

  request(method: 'GET' | 'POST', path: string): Promise<Answer> {
    const length = method === 'POST' ? 'content-length: 0\r\n' : '';
    return new Promise((resolve, reject) => {
      this.#pending = { head: Buffer.alloc(0), status: 0, bytes: 0, left: 0, resolve, reject };
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${length}\r\n`);
    });
  }

  close(): void {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    let body = chunk.length;
    if (pending.head !== undefined) {
      const head = pending.head.length === 0 ? chunk : Buffer.concat([pending.head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) {
        pending.head = head;
        return;
      }
      const text = head.toString('latin1', 0, end);
      const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
      if (length === undefined) {
        pending.reject(new Error('an answer does not say how long it is'));
        return;
      }
      pending.head = undefined;
      pending.status = Number(text.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
      pending.bytes = Number(length);
      pending.left = pending.bytes;
      body = head.length - end - 4;
    }
    pending.left -= body;
    if (pending.left > 0) return;
    this.#pending = undefined;
    pending.resolve({ status: pending.status, bytes: pending.bytes });
  }
}
