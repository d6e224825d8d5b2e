import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every type.
type Data = any;

export interface Frame {
  readonly type: string;
  readonly message_id?: string | number;
  readonly server_initiated?: boolean;
  readonly data: Data;
}

export interface OpenOptions {
  readonly headers?: Record<string, string>;
  readonly protocols?: string[];
}

/** A WebSocket client for tests: remembers every frame, and waits for what it is asked for, never for time. */
export class TestSocket {
  readonly ws: WebSocket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiting = new Set<() => void>();

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => {
      this.frames.push(JSON.parse(String(data)) as Frame);
      for (const look of [...this.#waiting]) look();
    });
    // What goes wrong shows as a close or as a promise that is rejected.
    ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: String(reason) });
        for (const look of [...this.#waiting]) look();
      });
    });
  }

  static async open(url: string, options: OpenOptions = {}): Promise<TestSocket> {
    const ws = new WebSocket(url, options.protocols ?? [], { headers: options.headers ?? {} });
    const socket = new TestSocket(ws);
    onTestFinished(() => ws.terminate());
    await new Promise<void>((resolve, reject) => {
      ws.once('open', () => resolve());
      ws.once('error', reject);
    });
    return socket;
  }

  send(frame: object | string): void {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends a message and resolves with the reply: the first frame that repeats its `message_id`. */
  async request(type: string, data: object = {}): Promise<Frame> {
    const messageId = randomUUID();
    this.send({ type, message_id: messageId, data });
    return this.find((frame) => frame.message_id === messageId);
  }

  /** Resolves with the first frame, past or future, that fits. Rejects when the socket closes without one. */
  find(fits: (frame: Frame) => boolean): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const frame = this.frames.find(fits);
        if (!frame && this.ws.readyState !== WebSocket.CLOSED) return;
        this.#waiting.delete(look);
        if (frame) resolve(frame);
        else reject(new Error(`closed; got ${JSON.stringify(this.frames.map(({ type }) => type))}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  findType(type: string): Promise<Frame> {
    return this.find((frame) => frame.type === type);
  }

  findEvent(eventType: string, runId?: string): Promise<Frame> {
    return this.find(
      ({ type, data }) =>
        type === 'event' && data.event_type === eventType && (runId === undefined || data.run_id === runId),
    );
  }

  get events(): Data[] {
    return this.frames.filter(({ type }) => type === 'event').map(({ data }) => data);
  }

  /** Sends a command and resolves with its result. */
  async run(command: string, parameters: object, options: object = {}): Promise<Data> {
    const messageId = randomUUID();
    this.send({ type: 'command', message_id: messageId, data: { command, parameters, ...options } });
    const { type, data } = await this.find(
      (frame) => frame.message_id === messageId && frame.type !== 'command_accepted',
    );
    if (type === 'error') throw new Error(`${data.code}: ${data.message}`);
    return data;
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }
}
