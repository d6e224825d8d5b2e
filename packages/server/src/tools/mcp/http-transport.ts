import {
  type FetchLike,
  isJSONRPCErrorResponse,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client';
import { FloodGuard } from './flood-guard.ts';
import type { McpHttp } from './server-config.ts';
import { within } from './within.ts';

/** Bytes of one answer, or of one event of a stream. */
const MAX_MESSAGE = 10 * 1024 * 1024;
/** What a server gets to hear that we are done. */
const GOODBYE_MS = 1000;
const LINE_FEED = 10;
const CONNECTION_CLOSED = -32_000;

type SendOptions = Parameters<StreamableHTTPClientTransport['send']>[1];

/** Streamable HTTP. A request whose answer can not come any more fails at once. */
export class HttpTransport extends StreamableHTTPClientTransport {
  readonly #open = new Set<RequestId>();

  constructor({ url, headers }: McpHttp) {
    super(url, { requestInit: { headers: { ...headers } }, fetch: limitedFetch() });
    // Whoever connects it calls what was here before.
    this.onmessage = (message: JSONRPCMessage) => {
      if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
        if (message.id !== undefined) this.#open.delete(message.id);
      }
    };
  }

  override async send(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    if (!isJSONRPCRequest(message)) return super.send(message, options);
    const { id } = message;
    this.#open.add(id);
    try {
      await super.send(message, {
        ...options,
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
  }

  #unanswered(id: RequestId): void {
    if (!this.#open.delete(id)) return;
    const error = { code: CONNECTION_CLOSED, message: 'The connection ended before the answer' };
    this.onmessage?.({ jsonrpc: '2.0', id, error });
  }
}

/** The transport that streamable HTTP has replaced. */
export function sseTransport({ url, headers }: McpHttp): Transport {
  return new SSEClientTransport(url, { requestInit: { headers: { ...headers } }, fetch: limitedFetch() });
}

/** A server that sends without end fails instead of filling the memory. */
function limitedFetch(): FetchLike {
  const guard = new FloodGuard();
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!response.body) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(limited(guard)), { status, statusText, headers });
  };
}

/** An event of a stream ends with an empty line; an answer in JSON has none that counts. */
function limited(guard: FloodGuard): TransformStream<Uint8Array, Uint8Array> {
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const end = lastEmptyLine(chunk);
      length = end === -1 ? length + chunk.length : chunk.length - end;
      if (length > MAX_MESSAGE) throw new Error(`The server sent more than ${MAX_MESSAGE} bytes at once`);
      if (guard.count(chunk.length, 0)) throw new Error('The server sends without end');
      controller.enqueue(chunk);
    },
  });
}

function lastEmptyLine(chunk: Uint8Array): number {
  for (let at = chunk.lastIndexOf(LINE_FEED); at > 0; at = chunk.lastIndexOf(LINE_FEED, at - 1)) {
    const before = chunk[at - 1] === 13 ? chunk[at - 2] : chunk[at - 1];
    if (before === LINE_FEED) return at;
  }
  return -1;
}
