/** WebSocket on a bare TCP socket, for what no client library would send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** The example of RFC 6455, section 1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface HandshakeOptions {
  readonly method?: string;
  readonly path?: string;
  /** Header lines; the names are sent as they are. Undefined leaves one of the usual ones out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

export class RawSocket {
  readonly socket: Socket;
  /** The server has ended its side, or the connection is gone. */
  readonly ended: Promise<unknown>;
  #received: Buffer = Buffer.alloc(0);
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#look();
    });
    // A reset is an end like others.
    socket.on('error', () => {});
    this.ended = Promise.race([once(socket, 'end'), once(socket, 'close')]).then(() => this.#look());
  }

  static async connect(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    // The server may end its side without this one ending by itself: a silent peer.
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    onTestFinished(() => void socket.destroy());
    const raw = new RawSocket(socket);
    await once(socket, 'connect');
    return raw;
  }

  /** Connects and shakes hands; fails when the server refuses. */
  static async open(url: string, options: HandshakeOptions = {}): Promise<RawSocket> {
    const raw = await RawSocket.connect(url);
    const { status, body } = await raw.handshake(url, options);
    if (status !== 101) throw new Error(`${status} ${body}`);
    return raw;
  }

  async handshake(
    url: string,
    { method = 'GET', path, headers = {} }: HandshakeOptions = {},
  ): Promise<HttpAnswer> {
    const { host, pathname } = new URL(url);
    const usual: Record<string, string | undefined> = {
      Host: host,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': KEY,
      'Sec-WebSocket-Version': '13',
    };
    for (const name of Object.keys(usual)) {
      if (Object.keys(headers).some((other) => other.toLowerCase() === name.toLowerCase()))
        delete usual[name];
    }
    const lines = Object.entries({ ...usual, ...headers })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`${method} ${path ?? pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return this.answer();
  }

  /** The answer to a request. */
  answer(): Promise<HttpAnswer> {
    return this.#take(() => {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end === -1) return undefined;
      const [first = '', ...lines] = this.#received.subarray(0, end).toString().split('\r\n');
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      );
      const length = Number(headers['content-length'] ?? 0);
      const body = this.#received.subarray(end + 4, end + 4 + length);
      if (body.length < length) return undefined;
      this.#received = this.#received.subarray(end + 4 + length);
      return { status: Number(first.split(' ')[1]), headers, body: body.toString() };
    });
  }

  /** The next frame of the server. */
  frame(): Promise<RawFrame> {
    return this.#take(() => {
      const head = this.#received;
      if (head.length < 2) return undefined;
      const short = head.readUInt8(1);
      const offset = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (head.length < offset) return undefined;
      const length =
        short < 126 ? short : short === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
      if (head.length < offset + length) return undefined;
      this.#received = head.subarray(offset + length);
      return { opcode: head.readUInt8(0) & 0x0f, payload: head.subarray(offset, offset + length) };
    });
  }

  /** The next text frame as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every type.
  async json(): Promise<any> {
    const { opcode, payload } = await this.frame();
    if (opcode !== OPCODES.text) throw new Error(`opcode ${opcode}: ${payload.toString('hex')}`);
    return JSON.parse(payload.toString());
  }

  /** The code of the close frame, which has to be the next frame. */
  async closeCode(): Promise<number> {
    const { opcode, payload } = await this.frame();
    if (opcode !== OPCODES.close) throw new Error(`opcode ${opcode}: ${payload.toString()}`);
    return payload.readUInt16BE(0);
  }

  /** What has come and nobody has looked at. */
  get unread(): Buffer {
    return this.#received;
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Resolves when the server has handled everything sent before. */
  async settled(): Promise<void> {
    this.write(frame(OPCODES.ping, 'settled'));
    for (;;) {
      const { opcode, payload } = await this.frame();
      if (opcode === OPCODES.pong && payload.toString() === 'settled') return;
    }
  }

  #take<T>(read: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = read();
        if (value === undefined && !this.socket.readableEnded && !this.socket.destroyed) return;
        this.#waiting.delete(look);
        if (value === undefined) reject(new Error('the server ended the connection'));
        else resolve(value);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

export interface FrameOptions {
  readonly fin?: boolean;
  /** The bits RSV1, RSV2 and RSV3 as 4, 2 and 1. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the header says, when it lies. */
  readonly length?: number | bigint;
}

/** One frame as a client sends it. */
export function frame(opcode: number, payload: Buffer | string = '', options: FrameOptions = {}): Buffer {
  const { fin = true, reserved = 0, masked = true } = options;
  const data = Buffer.from(payload);
  const length = BigInt(options.length ?? data.length);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126n) head.push(mask | Number(length));
  else if (length < 65_536n) head.push(mask | 126, Number(length) >> 8, Number(length) & 0xff);
  else {
    head.push(mask | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((length >> shift) & 0xffn));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const key = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) ^ (key[i % 4] as number);
  return Buffer.concat([Buffer.from(head), key, data]);
}

/** A message as one text frame. */
export function message(type: string, data?: object, messageId?: string): Buffer {
  return frame(OPCODES.text, JSON.stringify({ type, message_id: messageId, data }));
}

export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}
