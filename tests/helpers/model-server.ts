/**
 * A model server for tests: a real HTTP server that speaks the OpenAI chat-completions wire, says what a test scripts,
 * and fails in the ways that providers fail. Nothing here sleeps: a test holds a stream with a gate and lets it go on.
 *
 *     const server = await startModelServer();
 *     // OPENAI_BASE_URL=server.baseUrl, LLMGINE_API_MODEL=openai-compatible:any-name
 *     server.script({ steps: [{ text: 'Hello ' }, { text: 'world' }] });
 *     ...
 *     expect(server.requests[0].body.messages).toEqual([...]);
 *     await server.close();
 *
 * **Scripts.** Each request takes the next script of the queue; `server.script(a, b)` appends. With an empty queue it
 * is `server.respond` that answers, a function of the request, which says `Hello from the model server.` until a test
 * assigns another one. A script is a list of steps and how to end:
 *
 *     { steps: [{ text: 'Hel' }, { text: 'lo' }] }                          // one content chunk each
 *     { steps: [{ reasoning: 'Hmm' }, { text: '42' }] }                      // field: 'reasoning' for the other spelling
 *     { steps: [{ toolCalls: [{ name: 'calculate', arguments: { expression: '1+1' } }] }] }
 *                                // arguments stream in fragments, parallel calls take turns, ids come with the first one
 *     { steps: [...], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } }    // null: no usage chunk
 *     { steps: [...], finish: 'length' }     // default 'stop', or 'tool_calls' after tool calls; null: none, and no [DONE]
 *
 * **Gates.** `const gate = server.gate()`, and `{ gate }` as a step: everything before it has been sent, then the stream
 * stands still. `await gate.reached`, look, `gate.release()`. `{ headersGate: gate }` holds the whole response: a server
 * that hangs. `close()` releases every gate, so a test that failed does not hang.
 *
 * **Faults.**
 *     { status: 429, headers: { 'retry-after': '7' }, error: { message: 'Slow down' } }    // also 401, 500, ...
 *     { steps: [{ text: 'Hel' }, { drop: true }] }                 // the connection is cut
 *     { steps: [{ text: 'Hel' }, { error: { message: 'overloaded' } }] }      // an error object in the stream
 *     { steps: [{ raw: 'data: {"choices": [\n\n' }] }              // half JSON, bad UTF-8 (a Buffer), anything
 *     { steps: [{ comment: 'keep-alive' }] }
 *     { cut: 1 }                                                   // trickle: so many bytes in each write
 *     { burst: true }                                              // everything up to the next gate in one write
 *     { eol: '\r\n' }                                              // line ends
 *     { json: true }                                               // one JSON answer although it was asked to stream
 *
 * **Requests.** `server.requests` has method, path, headers and parsed body of each, and `closed`: it resolves when the
 * connection of that request ended before the answer did, because the client went away or the script cut it.
 * `await server.received(n)` waits for the n-th request (from 1).
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chunkWriter, type Step, wholeAnswer } from './model-server-wire.ts';

export interface Gate {
  /** Resolves when the server stands at the gate and all bytes before it were handed to the socket. */
  readonly reached: Promise<void>;
  release(): void;
}

export interface ModelScript {
  /** Default 200. Anything else answers with `error` and no steps. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What goes into `{"error": ...}` when `status` is not 200; a string is sent as it is, as text/plain. */
  readonly error?: object | string;
  /** Holds the response before its headers. */
  readonly headersGate?: Gate;
  readonly steps?: readonly Step[];
  /** Default `stop`, or `tool_calls` when there were any; null: the stream just ends, without `[DONE]`. */
  readonly finish?: string | null;
  /** The usage chunk, in the provider's words; null: none. Default 10 prompt tokens and one token a step. */
  readonly usage?: object | null;
  /** False leaves `[DONE]` out. Default true. */
  readonly done?: boolean;
  /** Bytes in each write, each one a network chunk of its own. Default: one write a step. */
  readonly cut?: number;
  /** What is between two gates goes in one write. */
  readonly burst?: boolean;
  readonly eol?: '\n' | '\r\n';
  readonly json?: boolean;
}

/** The body of a request, as far as tests look into it. */
export interface ChatBody {
  readonly model: string;
  readonly messages: readonly {
    readonly role: string;
    readonly content?: unknown;
    readonly tool_calls?: readonly {
      readonly id: string;
      readonly function: { readonly name: string; readonly arguments: string };
    }[];
    readonly tool_call_id?: string;
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string; readonly parameters: object } }[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly [setting: string]: unknown;
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: ChatBody;
  readonly closed: Promise<void>;
}

export type Respond = (request: RecordedRequest) => ModelScript | Promise<ModelScript>;

export class ModelServer {
  readonly requests: RecordedRequest[] = [];
  /** Answers requests that find the queue empty. */
  respond: Respond = () => ({ steps: [{ text: 'Hello from ' }, { text: 'the model server.' }] });
  readonly #queue: ModelScript[] = [];
  readonly #gates = new Set<Gate>();
  readonly #waiting: { readonly count: number; readonly resolve: (request: RecordedRequest) => void }[] = [];
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const recorded: RecordedRequest = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: parse(Buffer.concat(chunks).toString()),
        closed: new Promise((resolve) => {
          response.on('close', () => {
            if (!response.writableFinished) resolve();
          });
        }),
      };
      this.#answer(recorded, response).catch(() => response.destroy());
    });
  });

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  script(...scripts: ModelScript[]): void {
    this.#queue.push(...scripts);
  }

  gate(): Gate & { readonly [AT_GATE]: () => Promise<void> } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const gate = {
      reached: reached.promise,
      release: () => released.resolve(),
      [AT_GATE]: () => {
        reached.resolve();
        return released.promise;
      },
    };
    this.#gates.add(gate);
    return gate;
  }

  /** The n-th request, from 1. */
  received(count: number): Promise<RecordedRequest> {
    const there = this.requests[count - 1];
    if (there) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Releases all gates and cuts all connections. */
  async close(): Promise<void> {
    for (const gate of this.#gates) gate.release();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: RecordedRequest, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    for (const { count, resolve } of this.#waiting) if (count === this.requests.length) resolve(request);
    if (request.method !== 'POST' || !request.path.split('?')[0]?.endsWith('/chat/completions')) {
      return sendError(response, { status: 404, error: { message: `no such route: ${request.path}` } });
    }
    const script = this.#queue.shift() ?? (await this.respond(request));
    if (script.headersGate) await atGate(script.headersGate);
    if (script.status !== undefined && script.status !== 200) return sendError(response, script);
    if (script.json) {
      response.writeHead(200, { 'content-type': 'application/json', ...script.headers });
      response.end(JSON.stringify(wholeAnswer(request.body.model, script)));
      return;
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      ...script.headers,
    });
    await stream(request, response, script);
  }
}

const AT_GATE = Symbol('at the gate');

function atGate(gate: Gate): Promise<void> {
  return (gate as Gate & { [AT_GATE]: () => Promise<void> })[AT_GATE]();
}

export async function startModelServer(): Promise<ModelServer> {
  const server = new ModelServer();
  await server.listen();
  return server;
}

async function stream(
  request: RecordedRequest,
  response: ServerResponse,
  script: ModelScript,
): Promise<void> {
  const wire = chunkWriter(request.body.model, script.eol ?? '\n');
  const burst: Buffer[] = [];
  const flush = () => write(response, Buffer.concat(burst.splice(0)), script.cut);
  const send = async (chunks: readonly Buffer[]) => {
    for (const bytes of chunks) {
      burst.push(bytes);
      if (!script.burst) await flush();
    }
  };
  let tokens = 0;
  for (const step of script.steps ?? []) {
    tokens++;
    if ('gate' in step || 'drop' in step) await flush();
    if ('gate' in step) await atGate(step.gate);
    if ('drop' in step) {
      response.destroy();
      return;
    }
    await send(wire.step(step));
  }
  await send(wire.end(script, request.body.stream_options?.include_usage === true, tokens));
  await flush();
  response.end();
}

/** Resolves when the bytes were handed to the system; a client that reads slowly holds the stream. */
async function write(response: ServerResponse, bytes: Buffer, cut = bytes.length): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += cut) {
    await new Promise((resolve) => response.write(bytes.subarray(at, at + cut), resolve));
  }
}

function sendError(response: ServerResponse, { status = 500, headers, error }: ModelScript): void {
  const isText = typeof error === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json', ...headers });
  response.end(
    isText
      ? error
      : JSON.stringify({ error: error ?? { message: `scripted ${status}`, type: 'test_error' } }),
  );
}

/** What is no JSON is an empty conversation: the adapters under test send nothing else. */
function parse(text: string): ChatBody {
  try {
    return JSON.parse(text) as ChatBody;
  } catch {
    return { model: '', messages: [] };
  }
}
