/** Tools that run here: claims what is asked for them, executes it once, and answers. */
import type { Answer, Json } from '@llmgine/protocol/wire';
import { LlmgineError } from './errors.ts';

/** What a tool of a client gets besides its arguments. */
export interface ToolCall {
  /** Aborts when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  readonly toolName: string;
  readonly toolCallId: string | null;
  readonly runId: string | null;
}

interface ToolFunction {
  // A method, so that handlers may say what their arguments are: the server has checked them with the tool's schema.
  call(input: Record<string, unknown>, call: ToolCall): unknown;
}
/** Executes a tool and returns what JSON can say. What it throws is the tool's error, whose message the model reads. */
export type ToolHandler = ToolFunction['call'];
export type ClientTools = Readonly<Record<string, ToolHandler>>;

/** What asks for a tool. */
export interface ToolRequest {
  readonly request_id: string;
  readonly kind: string;
  readonly run_id?: string | undefined;
  readonly arguments?: Json | undefined;
  readonly tool_name?: string | undefined;
  readonly tool_call_id?: string | undefined;
  readonly claimed_until?: string | null;
}

/** What it needs of the session. */
export interface ToolHost {
  claim(requestId: string): Promise<unknown>;
  answer(requestId: string, answer: Answer): Promise<unknown>;
  /** What waits for an answer now. */
  pending(): Promise<readonly ToolRequest[]>;
  report(error: unknown): void;
}

/** A claim is good for 30 seconds, and is made again while the tool runs. */
const RENEW_MS = 20_000;
/** After the claim of somebody else has run out. */
const SPARE_MS = 500;
/** After a claim that the server refuses for the moment. */
const REFUSED_MS = 1_000;

export class ToolRunner {
  readonly #tools: ClientTools;
  readonly #host: ToolHost;
  /** Requests that this client has claimed or tries to; what is here is not begun again. */
  readonly #running = new Map<string, AbortController>();
  /** Requests that were executed here; they stay until they are resolved. */
  readonly #done = new Set<string>();
  #again: { readonly at: number; readonly timer: ReturnType<typeof setTimeout> } | null = null;

  constructor(tools: ClientTools, host: ToolHost) {
    this.#tools = { ...tools };
    this.#host = host;
  }

  /** There is a connection: what was asked before is asked of this client, too. */
  async connected(): Promise<void> {
    this.#endWait();
    if (Object.keys(this.#tools).length === 0) return;
    try {
      for (const request of await this.#host.pending()) this.requested(request);
    } catch (error) {
      // It is looked at again on the next connection.
      if (!isAboutConnection(error)) this.#host.report(error);
    }
  }

  requested(request: ToolRequest): void {
    const { request_id: id, kind, tool_name: name } = request;
    if (kind !== 'client_tool' || name === undefined || !Object.hasOwn(this.#tools, name)) return;
    if (this.#running.has(id) || this.#done.has(id)) return;
    const until = request.claimed_until ? Date.parse(request.claimed_until) : 0;
    // It may be the claim of an earlier connection of this client, which nobody can use any more.
    if (until > Date.now()) this.#lookAgain(until - Date.now() + SPARE_MS);
    else void this.#execute(request, name);
  }

  resolved(requestId: string): void {
    this.#running.get(requestId)?.abort(new LlmgineError('REQUEST_ALREADY_ANSWERED'));
    this.#done.delete(requestId);
  }

  close(reason: unknown): void {
    this.#endWait();
    for (const [id, controller] of this.#running) {
      controller.abort(reason);
      // Nobody learns what comes of it.
      this.#done.delete(id);
    }
    this.#running.clear();
  }

  async #execute(request: ToolRequest, name: string): Promise<void> {
    const { request_id: id } = request;
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      await this.#host.claim(id);
    } catch (error) {
      if (this.#running.get(id) === controller) this.#running.delete(id);
      // Somebody else has it, or had it; should they lose it, it is looked for again.
      if (isAboutConnection(error)) return;
      if (!(error instanceof LlmgineError)) return;
      if (error.code === 'REQUEST_ALREADY_ANSWERED') this.#lookAgain(RENEW_MS);
      else if (error.retryable) this.#lookAgain(error.retryAfterMs ?? REFUSED_MS);
      return;
    }
    this.#done.add(id);
    let renewing = false;
    const renew = async () => {
      // Without a connection they would pile up.
      if (renewing) return;
      renewing = true;
      await this.#host.claim(id).catch(() => {});
      renewing = false;
    };
    const renewal = setInterval(() => void renew(), RENEW_MS);
    const stop = () => clearInterval(renewal);
    controller.signal.addEventListener('abort', stop, { once: true });
    let answer: Answer;
    try {
      answer = { outcome: 'submitted', value: await this.#call(name, request, controller.signal) };
    } catch (error) {
      answer = { outcome: 'error', reason: error instanceof Error ? error.message : String(error) };
    } finally {
      stop();
    }
    if (!controller.signal.aborted) await this.#answer(id, answer);
    if (this.#running.get(id) === controller) this.#running.delete(id);
  }

  /** An answer that the server does not take, for example because it does not fit the tool, must not leave the run waiting. */
  async #answer(id: string, answer: Answer): Promise<void> {
    try {
      await this.#host.answer(id, answer);
    } catch (error) {
      if (isAboutConnection(error) || isTooLate(error)) return;
      this.#host.report(error);
      if (answer.outcome === 'error') return;
      const reason = error instanceof Error ? error.message : String(error);
      await this.#answer(id, { outcome: 'error', reason });
    }
  }

  async #call(name: string, request: ToolRequest, signal: AbortSignal): Promise<Json> {
    const handler = this.#tools[name] as (input: unknown, call: ToolCall) => unknown;
    const value = await handler(request.arguments ?? {}, {
      signal,
      requestId: request.request_id,
      toolName: name,
      toolCallId: request.tool_call_id ?? null,
      runId: request.run_id ?? null,
    });
    return (value ?? null) as Json;
  }

  /** The first of those that wait decides when. */
  #lookAgain(ms: number): void {
    const at = Date.now() + ms;
    if (this.#again && this.#again.at <= at) return;
    this.#endWait();
    this.#again = { at, timer: setTimeout(() => void this.connected(), ms) };
  }

  #endWait(): void {
    clearTimeout(this.#again?.timer);
    this.#again = null;
  }
}

function isAboutConnection(error: unknown): boolean {
  return (
    error instanceof LlmgineError && (error.code === 'CONNECTION_LOST' || error.code === 'CONNECTION_CLOSED')
  );
}

/** Somebody answered, or the run has ended: both show in the log. */
function isTooLate(error: unknown): boolean {
  const codes = ['REQUEST_ALREADY_ANSWERED', 'REQUEST_EXPIRED', 'REQUEST_NOT_FOUND', 'SESSION_NOT_FOUND'];
  return error instanceof LlmgineError && codes.includes(error.code);
}
