/**
 * A server of the Anthropic Messages wire for tests, scripted like `model-server.ts`. It signs the reasoning that it
 * streams, and takes back only what it has signed.
 *
 *     const server = await startAnthropicServer();
 *     // ANTHROPIC_BASE_URL=server.baseUrl, LLMGINE_API_MODEL=anthropic:any-name
 */
import { validateAnthropic } from './anthropic-server-rules.ts';
import { ModelServer } from './model-server.ts';
import {
  argumentsText,
  finishOf,
  fragments,
  type ModelScript,
  type ScriptedCall,
  tokensOf,
} from './model-server-script.ts';
import type { StreamWriter, Wire } from './model-server-wire.ts';

/** The body of a request, as far as tests look into it. */
export interface AnthropicBody {
  readonly model: string;
  readonly messages: readonly {
    readonly role: string;
    readonly content: string | readonly { readonly type: string; readonly [field: string]: unknown }[];
  }[];
  readonly [setting: string]: unknown;
}

const STOP_REASONS: Readonly<Record<string, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
};
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

/** What a server has signed: the reasoning by its signature, and nothing for what it keeps to itself. */
class Signatures {
  readonly #signed = new Map<string, string>();

  add(signature: string, thinking: string): void {
    this.#signed.set(signature, thinking);
  }

  next(): string {
    return Buffer.from(`signature ${this.#signed.size + 1}`).toString('base64');
  }

  readonly has = (thinking: string, signature: string): boolean => this.#signed.get(signature) === thinking;
}

function anthropicWire(): Wire<AnthropicBody> {
  const signatures = new Signatures();
  let answers = 0;
  return {
    basePath: '/v1',
    isRoute: (path) => path.endsWith('/v1/messages'),
    complaints: ({ body }) => validateAnthropic(body, signatures.has),
    stream: ({ body }, script) => eventWriter(body.model, ++answers, script, signatures),
    whole: () => {
      throw new Error('this server only streams');
    },
    error: (status, error) => ({
      type: 'error',
      error: { type: ERROR_TYPES[status] ?? 'api_error', ...error },
      request_id: 'req_test',
    }),
  };
}

export async function startAnthropicServer(): Promise<ModelServer<AnthropicBody>> {
  const server = new ModelServer(anthropicWire());
  await server.listen();
  return server;
}

function eventWriter(
  model: string,
  answer: number,
  script: ModelScript,
  signatures: Signatures,
): StreamWriter {
  const { eol = '\n', finish, done = true } = script;
  let started = false;
  let index = -1;
  let open: 'text' | 'thinking' | undefined;
  let thinking = '';
  let calls = 0;
  const event = (type: string, fields: object = {}) =>
    Buffer.from(`event: ${type}${eol}data: ${JSON.stringify({ type, ...fields })}${eol}${eol}`);
  const delta = (delta: object) => event('content_block_delta', { index, delta });
  const start = () => {
    if (started) return [];
    started = true;
    const { output_tokens: _, ...usage } = wireUsage(script);
    const message = { id: `msg_${answer}`, type: 'message', role: 'assistant', model, content: [] };
    const unfinished = { stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } };
    return [event('message_start', { message: { ...message, ...unfinished } }), event('ping')];
  };
  const stop = (signature?: string) => {
    if (open === undefined) return [];
    const bytes = [event('content_block_stop', { index })];
    if (open === 'thinking') {
      const signed = signature ?? signatures.next();
      signatures.add(signed, thinking);
      bytes.unshift(delta({ type: 'signature_delta', signature: signed }));
    }
    open = undefined;
    return bytes;
  };
  const begin = (content_block: object) => {
    const before = [...start(), ...stop()];
    index++;
    return [...before, event('content_block_start', { index, content_block })];
  };
  const say = (kind: 'text' | 'thinking', piece: string) => {
    const before = open === kind ? [] : begin({ type: kind, [kind]: '' });
    if (open !== kind) thinking = '';
    open = kind;
    if (kind === 'thinking') thinking += piece;
    return [...before, delta({ type: `${kind}_delta`, [kind]: piece })];
  };
  const call = (made: ScriptedCall) => {
    const id = made.id ?? `toolu_${answer}_${++calls}`;
    const bytes = begin({ type: 'tool_use', id, name: made.name, input: {} });
    const pieces = fragments(argumentsText(made)).map((partial_json) =>
      delta({ type: 'input_json_delta', partial_json }),
    );
    return [...bytes, ...pieces, event('content_block_stop', { index })];
  };
  return {
    step(step) {
      if ('text' in step) return say('text', step.text);
      if ('refusal' in step) return say('text', step.refusal);
      if ('reasoning' in step) {
        const said = say('thinking', step.reasoning);
        return step.signature === undefined ? said : [...said, ...stop(step.signature)];
      }
      if ('redacted' in step) {
        signatures.add(step.redacted, '');
        const block = begin({ type: 'redacted_thinking', data: step.redacted });
        return [...block, event('content_block_stop', { index })];
      }
      if ('toolCalls' in step) return step.toolCalls.flatMap(call);
      if ('comment' in step) return [...start(), event('ping')];
      if ('error' in step) return [event('error', { error: { type: 'api_error', ...asObject(step.error) } })];
      return 'raw' in step ? [Buffer.from(step.raw)] : [];
    },
    end() {
      if (finish === null) return [];
      const reason = finishOf(script);
      const usage = script.usage ?? wireUsage(script);
      const stop_reason = STOP_REASONS[reason] ?? reason;
      const end = event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage });
      return [...start(), ...stop(), end, ...(done ? [event('message_stop')] : [])];
    },
  };
}

function asObject(error: object | string): object {
  return typeof error === 'string' ? { message: error } : error;
}

function wireUsage(script: ModelScript): { readonly output_tokens: number } {
  const { input, output, cached = 0, reasoning } = tokensOf(script);
  return {
    ...{ input_tokens: input - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached },
    output_tokens: output,
    ...(reasoning === undefined ? {} : { output_tokens_details: { thinking_tokens: reasoning } }),
  };
}
