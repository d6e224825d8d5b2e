import { ApiError } from '@llmgine/protocol';
import type { Agent } from 'undici';
import { ChatExchange } from './chat-exchange.ts';
import { type ChatWireOptions, chatRequestBody, maxTokensField } from './chat-request.ts';
import { closedError, createRedact, type Redact } from './model-error.ts';
import { MODEL_TIMEOUTS, type ModelTimeouts } from './stall-timer.ts';
import type { Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from './types.ts';

export const OPENAI_BASE_URL = 'https://api.openai.com/v1';
const MAX_MODEL_NAME = 200;

export interface OpenAICompatibleOptions {
  /** Default `openai-compatible`. */
  readonly name?: string;
  /** `/chat/completions` is appended. Default `https://api.openai.com/v1`. */
  readonly baseURL?: string;
  /** Sent as bearer token; many servers of one's own need none. */
  readonly apiKey?: string | undefined;
  readonly timeouts?: Partial<ModelTimeouts>;
}

/** A provider that holds connections. `close()` ends them and whatever runs on them; it is idempotent. */
export interface ClosableProvider extends ModelProvider {
  close(): Promise<void>;
}

/** The model part of `PROVIDER:MODEL`. Throws `VALIDATION_ERROR`. */
export function checkModelName(provider: string, name: string): string {
  if (name === '') throw new ApiError('VALIDATION_ERROR', `Name the model, as in "${provider}:NAME"`);
  if (name.length > MAX_MODEL_NAME) {
    throw new ApiError('VALIDATION_ERROR', `The name of a model has at most ${MAX_MODEL_NAME} characters`);
  }
  return name;
}

/** The lean adapter for the wire that most model servers speak. All its models share one pool of connections. */
export function openAICompatible(options: OpenAICompatibleOptions = {}): ClosableProvider {
  const { name = 'openai-compatible', baseURL = OPENAI_BASE_URL, apiKey } = options;
  const timeouts = { ...MODEL_TIMEOUTS, ...options.timeouts };
  const wire = new ChatWire(name, new URL(baseURL), apiKey, timeouts);
  return {
    name,
    model: (model) => new OpenAICompatibleModel(name, checkModelName(name, model), wire),
    close: () => wire.close(),
  };
}

/** Where the requests of one provider go, and what they have in common. */
class ChatWire {
  #agent: Promise<Agent> | undefined;
  #closed = false;
  readonly #origin: string;
  readonly #path: string;
  readonly #headers: Record<string, string>;
  readonly #timeouts: ModelTimeouts;
  readonly #redact: Redact;
  readonly words: ChatWireOptions;

  constructor(provider: string, baseURL: URL, apiKey: string | undefined, timeouts: ModelTimeouts) {
    this.#origin = baseURL.origin;
    this.#path = `${baseURL.pathname.replace(/\/+$/, '')}/chat/completions${baseURL.search}`;
    this.#timeouts = timeouts;
    this.#redact = createRedact([apiKey]);
    this.words = { provider, maxTokens: maxTokensField(baseURL) };
    this.#headers = {
      'content-type': 'application/json',
      accept: 'text/event-stream, application/json',
      'user-agent': 'llmgine-api',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
  }

  async post(body: string, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish> {
    if (this.#closed) throw closedError();
    this.#agent ??= openAgent(this.#timeouts.connect);
    const agent = await this.#agent;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const exchange = new ChatExchange({
        provider: this.words.provider,
        sink,
        signal,
        timeouts: this.#timeouts,
        redact: this.#redact,
        resolve,
        reject,
      });
      agent.dispatch(
        {
          origin: this.#origin,
          path: this.#path,
          method: 'POST',
          headers: this.#headers,
          body,
          // The exchange watches the time itself: these two know nothing of first tokens.
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        exchange,
      );
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#agent)?.destroy();
  }
}

/** undici is loaded by the first request: who only tries the demo model need not wait for it at the start. */
async function openAgent(connectTimeout: number): Promise<Agent> {
  const { Agent } = await import('undici');
  // HTTP/1.1 only: each stream has a connection of its own, so pausing or ending one never touches another.
  return new Agent({ allowH2: false, connect: { timeout: connectTimeout } });
}

class OpenAICompatibleModel implements Model {
  readonly id: string;
  readonly #model: string;
  readonly #wire: ChatWire;

  constructor(provider: string, model: string, wire: ChatWire) {
    this.id = `${provider}:${model}`;
    this.#model = model;
    this.#wire = wire;
  }

  async stream(request: ModelRequest, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish> {
    return this.#wire.post(chatRequestBody(this.#model, request, this.#wire.words), sink, signal);
  }
}
