import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type RequestId,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { HttpConnections } from './http-connections.ts';
import type { McpHttp } from './server-config.ts';
import { within } from './within.ts';

/** What a server gets to hear that we are done. */
const GOODBYE_MS = 1000;
/** Answers that are on their way to a server: each is a request of its own. */
const MAX_REPLIES = 256;
const CONNECTION_CLOSED = -32_000;

type SendOptions = Parameters<StreamableHTTPClientTransport['send']>[1];

/**
 * Streamable HTTP. A request whose answer can not come any more fails at once, and one that nobody waits for any more ends
 * with its connection.
 */
export class HttpTransport extends StreamableHTTPClientTransport {
  readonly #connections: HttpConnections;
  readonly #open = new Map<RequestId, AbortController>();
  #replies = 0;

  constructor({ url, headers }: McpHttp) {
    const connections = new HttpConnections();
    super(url, { requestInit: { headers: { ...headers } }, fetch: connections.fetch });
    this.#connections = connections;
    // Whoever connects it calls what was here before.
    this.onmessage = (message: JSONRPCMessage) => {
      if (connections.countMessage()) void this.close();
      if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
        if (message.id !== undefined) this.#open.delete(message.id);
      }
    };
  }

  override async send(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    if (isJSONRPCNotification(message)) {
      this.#abandon(message);
      return super.send(message, options);
    }
    if (!isJSONRPCRequest(message)) return this.#reply(message, options);
    const { id } = message;
    const abandoned = new AbortController();
    this.#open.set(id, abandoned);
    try {
      await super.send(message, {
        ...options,
        requestSignal: AbortSignal.any([
          abandoned.signal,
          ...(options?.requestSignal ? [options.requestSignal] : []),
        ]),
        onRequestStreamEnd: () => {
          options?.onRequestStreamEnd?.();
          this.#unanswered(id);
        },
      });
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
  }

  override async close(): Promise<void> {
    await within(this.terminateSession(), GOODBYE_MS);
    await super.close();
    await this.#connections.close();
  }

  /** To what the server asks. */
  async #reply(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    if (this.#replies === MAX_REPLIES) {
      void this.close();
      throw new Error('The server asks without end');
    }
    this.#replies++;
    try {
      await super.send(message, options);
    } finally {
      this.#replies--;
    }
  }

  /** The request that was cancelled because its time was up, or because whoever asked has gone. */
  #abandon({ method, params }: JSONRPCNotification): void {
    if (method !== 'notifications/cancelled') return;
    const id = params?.requestId as RequestId;
    this.#open.get(id)?.abort();
    this.#open.delete(id);
  }

  #unanswered(id: RequestId): void {
    if (!this.#open.delete(id)) return;
    const error = { code: CONNECTION_CLOSED, message: 'The connection ended before the answer' };
    this.onmessage?.({ jsonrpc: '2.0', id, error });
  }
}

/** The transport that streamable HTTP has replaced. */
export class SseTransport extends SSEClientTransport {
  readonly #connections: HttpConnections;

  constructor({ url, headers }: McpHttp) {
    const connections = new HttpConnections();
    super(url, { requestInit: { headers: { ...headers } }, fetch: connections.fetch });
    this.#connections = connections;
    this.onmessage = () => {
      if (connections.countMessage()) void this.close();
    };
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#connections.close();
  }
}
