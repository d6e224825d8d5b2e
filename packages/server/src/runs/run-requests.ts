/** What one run asks people: once for each question, however often the run is continued. */
import { createHash, randomBytes } from 'node:crypto';
import { type EventPayload, type JsonObject, REQUEST_KINDS } from '@llmgine/protocol';
import { z } from 'zod';
import type { InputAnswer, InputQuestion } from '../engines/types.ts';
import { canonicalJson } from '../sessions/canonical-json.ts';
import type { RequestRow, RunRow, Storage } from '../storage/types.ts';
import { assertSchema } from '../validation/json-schema.ts';
import { jsonSchemaOf } from '../validation.ts';
import type { RunWriter } from './run-writer.ts';

const MAX_KEY = 200;
const MAX_SECONDS = 365 * 24 * 60 * 60;
/** That a run may have; each is a row, and every one that waits is shown to every client. */
const MAX_REQUESTS = 1000;

export interface RunRequestsOptions {
  readonly run: RunRow;
  readonly attempt: number;
  readonly storage: Storage;
  readonly writer: RunWriter;
  /** Milliseconds until a question expires that says nothing else. */
  readonly timeoutMs: number;
  /** It is committed that something expires then. */
  readonly onAsked: (expiresAt: number) => void;
}

export class RunRequests {
  readonly #options: RunRequestsOptions;
  /** By key. */
  #known: Map<string, { readonly requestId: string }> | null = null;
  #loading: Promise<void> | null = null;

  constructor(options: RunRequestsOptions) {
    this.#options = options;
  }

  /** Whether the run may have asked anything. */
  get any(): boolean {
    return this.#options.attempt > 1 || (this.#known?.size ?? 0) > 0;
  }

  /** See `EngineContext.request`. */
  async request(question: InputQuestion): Promise<InputAnswer | null> {
    assertQuestion(question);
    const key = keyOf(question);
    await this.#load();
    const asked = this.#known?.get(key);
    if (asked) {
      const row = await this.#options.storage.getRequest(this.#options.run, asked.requestId);
      return row && answerOf(row);
    }
    await this.#ask(key, question);
    return null;
  }

  async #ask(requestKey: string, question: InputQuestion): Promise<void> {
    const { run, writer, timeoutMs, onAsked } = this.#options;
    if ((this.#known?.size ?? 0) >= MAX_REQUESTS) {
      throw new TypeError(`A run may ask at most ${MAX_REQUESTS} times`);
    }
    const requestId = `req_${randomBytes(18).toString('base64url')}`;
    const createdAt = Date.now();
    const expiresIn = question.expiresIn === undefined ? timeoutMs : question.expiresIn * 1000;
    const expiresAt = Math.round(createdAt + expiresIn);
    const { kind, prompt, arguments: args, toolName, toolCallId } = question;
    const schema = schemaOf(question);
    const payload: EventPayload<'input_requested'> = {
      request_id: requestId,
      kind,
      prompt,
      schema,
      ...(args === undefined ? {} : { arguments: args }),
      ...(toolName === undefined ? {} : { tool_name: toolName }),
      ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
      expires_at: new Date(expiresAt).toISOString(),
    };
    // Before it is awaited, so that the same question at the same time finds it.
    this.#known?.set(requestKey, { requestId });
    writer.ask(payload, {
      requestId,
      runId: run.runId,
      requestKey,
      kind,
      prompt,
      schema,
      arguments: args,
      toolName: toolName ?? null,
      toolCallId: toolCallId ?? null,
      createdAt,
      expiresAt,
    });
    await writer.drain();
    onAsked(expiresAt);
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadKnown().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #loadKnown(): Promise<void> {
    const { run, attempt, storage } = this.#options;
    const rows = attempt === 1 ? [] : await storage.requestsOfRun(run, run.runId);
    this.#known = new Map(rows.map(({ requestKey, requestId }) => [requestKey, { requestId }]));
  }
}

function schemaOf({ schema }: InputQuestion): JsonObject | null {
  if (schema === undefined) return null;
  const written = schema instanceof z.ZodType ? jsonSchemaOf(schema) : schema;
  assertSchema(written);
  return written;
}

/** The answer to a request, or null while it is pending. */
function answerOf({ resolution, createdAt }: RequestRow): InputAnswer | null {
  if (!resolution) return null;
  const { outcome, value, reason, by, at } = resolution;
  return { outcome, value, reason, by, waitedMs: Math.max(at - createdAt, 0) };
}

/** Engines are other people's code, and not all of it is typed. */
function assertQuestion({ key, kind, prompt, expiresIn }: InputQuestion): void {
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY) {
    throw new TypeError(`The key of a question must have 1 to ${MAX_KEY} characters`);
  }
  if (!REQUEST_KINDS.includes(kind)) {
    throw new TypeError(`The kind of a question must be one of: ${REQUEST_KINDS.join(', ')}`);
  }
  if (typeof prompt !== 'string') throw new TypeError('The prompt of a question must be a text');
  if (expiresIn !== undefined && !(expiresIn > 0 && expiresIn <= MAX_SECONDS)) {
    throw new TypeError(`A question expires in more than 0 and at most ${MAX_SECONDS} seconds`);
  }
}

/** Bound to what is asked: an answer is never good for other arguments. */
function keyOf({ key, kind, toolName, arguments: args }: InputQuestion): string {
  const asked = canonicalJson([kind, toolName ?? null, args ?? null]);
  return `${key}#${createHash('sha256').update(asked).digest('base64url')}`;
}
