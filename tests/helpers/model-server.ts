/**
 * A model server for tests: a real HTTP server that speaks the OpenAI chat-completions wire, says what a test scripts,
 * refuses what OpenAI refuses, and fails in the ways that providers fail. `anthropic-server.ts` and `gemini-server.ts` are
 * the same for their wires. Nothing here sleeps: a test holds a stream with a gate and lets it go on.
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
 *     { steps: [{ refusal: 'I must not.' }] }
 *     { steps: [...], tokens: { input: 7, output: 2, cached: 4 } }           // the same on every wire
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
 * **Refusals.** A request that the provider would not take gets its 400, and no script is used up. `server.refusals` has
 * what was wrong with it, for `expect(server.refusals).toEqual([])`.
 *
 * **Requests.** `server.requests` has method, path, headers and parsed body of each, and `closed`: it resolves when the
 * connection of that request ended before the answer did, because the client went away or the script cut it.
 * `await server.received(n)` waits for the n-th request (from 1).
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Gate, ModelScript } from './model-server-script.ts';
import { type ChatBody, openAIWire, type Wire } from './model-server-wire.ts';

export type { Gate, ModelScript, ScriptedCall, Step } from './model-server-script.ts';
export type { ChatBody } from './model-server-wire.ts';

export interface RecordedRequest<Body = ChatBody> {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
  readonly closed: Promise<void>;
}

export type Respond<Body = ChatBody> = (request: RecordedRequest<Body>) => ModelScript | Promise<ModelScript>;

export class ModelServer<Body = ChatBody> {
  readonly requests: RecordedRequest<Body>[] = [];
  /** What was wrong with the requests that were refused. */
  readonly refusals: string[] = [];
  /** The models that `/api/tags` lists, as Ollama does; undefined: there is no such route. */
  ollamaModels: readonly string[] | undefined;
  /** Holds that route. */
  tagsGate: Gate | undefined;
  /** Answers requests that find the queue empty. */
  respond: Respond<Body> = () => ({ steps: [{ text: 'Hello from ' }, { text: 'the model server.' }] });
  readonly #wire: Wire<Body>;
  readonly #queue: ModelScript[] = [];
  readonly #gates = new Set<Gate>();
  readonly #waiting: {
    readonly count: number;
    readonly resolve: (request: RecordedRequest<Body>) => void;
  }[] = [];
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const recorded: RecordedRequest<Body> = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: parse(Buffer.concat(chunks).toString()) as Body,
        closed: new Promise((resolve) => {
          response.on('close', () => {
            if (!response.writableFinished) resolve();
          });
        }),
      };
      this.#answer(recorded, response).catch(() => response.destroy());
    });
  });

  constructor(wire: Wire<Body>) {
    this.#wire = wire;
  }

  /** `http://127.0.0.1:PORT` */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get baseUrl(): string {
    return this.origin + this.#wire.basePath;
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
  received(count: number): Promise<RecordedRequest<Body>> {
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

  async #answer(request: RecordedRequest<Body>, response: ServerResponse): Promise<void> {
    const route = request.path.split('?')[0] ?? '';
    if (route === '/api/tags' && this.tagsGate) await atGate(this.tagsGate);
    if (route === '/api/tags' && this.ollamaModels) return sendTags(response, this.ollamaModels);
    this.requests.push(request);
    for (const { count, resolve } of this.#waiting) if (count === this.requests.length) resolve(request);
    if (request.method !== 'POST' || !this.#wire.isRoute(route)) {
      return this.#sendError(response, {
        status: 404,
        error: { message: `no such route: ${request.path}` },
      });
    }
    const complaints = this.#wire.complaints(request);
    if (complaints.length > 0) {
      this.refusals.push(...complaints);
      return this.#sendError(response, { status: 400, error: { message: complaints.join(' ') } });
    }
    const script = this.#queue.shift() ?? (await this.respond(request));
    if (script.headersGate) await atGate(script.headersGate);
    if (script.status !== undefined && script.status !== 200) return this.#sendError(response, script);
    if (script.json) return sendJson(response, 200, script.headers, this.#wire.whole(request, script));
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      ...script.headers,
    });
    await this.#stream(request, response, script);
  }

  #sendError(response: ServerResponse, { status = 500, headers, error }: ModelScript): void {
    if (typeof error === 'string') {
      response.writeHead(status, { 'content-type': 'text/plain', ...headers });
      response.end(error);
      return;
    }
    const body = this.#wire.error(status, error ?? { message: `scripted ${status}` });
    sendJson(response, status, headers, body);
  }

  async #stream(
    request: RecordedRequest<Body>,
    response: ServerResponse,
    script: ModelScript,
  ): Promise<void> {
    const wire = this.#wire.stream(request, script);
    const burst: Buffer[] = [];
    const flush = () => write(response, Buffer.concat(burst.splice(0)), script.cut);
    const send = async (chunks: readonly Buffer[]) => {
      for (const bytes of chunks) {
        burst.push(bytes);
        if (!script.burst) await flush();
      }
    };
    for (const step of script.steps ?? []) {
      if ('gate' in step || 'drop' in step) await flush();
      if ('gate' in step) await atGate(step.gate);
      if ('drop' in step) {
        response.destroy();
        return;
      }
      await send(wire.step(step));
    }
    await send(wire.end());
    await flush();
    response.end();
  }
}

const AT_GATE = Symbol('at the gate');

function atGate(gate: Gate): Promise<void> {
  return (gate as Gate & { [AT_GATE]: () => Promise<void> })[AT_GATE]();
}

export async function startModelServer(): Promise<ModelServer> {
  const server = new ModelServer(openAIWire());
  await server.listen();
  return server;
}

/** Resolves when the bytes were handed to the system; a client that reads slowly holds the stream. */
async function write(response: ServerResponse, bytes: Buffer, cut = bytes.length): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += cut) {
    await new Promise((resolve) => response.write(bytes.subarray(at, at + cut), resolve));
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  headers: ModelScript['headers'],
  body: object,
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function sendTags(response: ServerResponse, names: readonly string[]): void {
  sendJson(response, 200, {}, { models: names.map((name) => ({ name, model: name })) });
}

/** What is no JSON is an empty request, which every provider refuses. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
