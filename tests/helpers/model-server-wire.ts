/** The OpenAI chat-completions wire, for `model-server.ts`. */
import { validateOpenAI } from './model-server-rules.ts';
import {
  argumentsText,
  finishOf,
  fragments,
  type ModelScript,
  type ScriptedCall,
  type Step,
  tokensOf,
} from './model-server-script.ts';

export type { ScriptedCall, Step } from './model-server-script.ts';

/** The bytes of one streamed answer. */
export interface StreamWriter {
  step(step: Step): Buffer[];
  /** How the script ends the answer. */
  end(): Buffer[];
}

export interface WireRequest<Body> {
  readonly path: string;
  readonly body: Body;
}

/** What tells one provider from another. */
export interface Wire<Body> {
  /** The path of the base URL. */
  readonly basePath: string;
  readonly isRoute: (path: string) => boolean;
  /** Why the provider refuses a request with 400; empty when it does not. */
  readonly complaints: (request: WireRequest<Body>) => readonly string[];
  readonly stream: (request: WireRequest<Body>, script: ModelScript) => StreamWriter;
  readonly whole: (request: WireRequest<Body>, script: ModelScript) => object;
  /** The body of an error. */
  readonly error: (status: number, error: object) => object;
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
    readonly [field: string]: unknown;
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string; readonly parameters: object } }[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly [setting: string]: unknown;
}

const CREATED = 1_700_000_000;

export function openAIWire(): Wire<ChatBody> {
  return {
    basePath: '/v1',
    isRoute: (path) => path.endsWith('/chat/completions'),
    complaints: ({ body }) => validateOpenAI(body),
    stream: ({ body }, script) =>
      chunkWriter(body.model, body.stream_options?.include_usage === true, script),
    whole: ({ body }, script) => wholeAnswer(body.model, script),
    error: (_, error) => ({ error: { type: 'invalid_request_error', param: null, code: null, ...error } }),
  };
}

function chunkWriter(model: string, includeUsage: boolean, script: ModelScript): StreamWriter {
  const { finish, usage, done = true, eol = '\n' } = script;
  const head = { id: 'chatcmpl-test', object: 'chat.completion.chunk', created: CREATED, model };
  let role: object = { role: 'assistant' };
  let calls = 0;
  const data = (value: unknown) => Buffer.from(`data: ${JSON.stringify(value)}${eol}${eol}`);
  const delta = (delta: object, finishReason: string | null = null) => {
    const first = role;
    role = {};
    return data({
      ...head,
      choices: [{ index: 0, delta: { ...first, ...delta }, logprobs: null, finish_reason: finishReason }],
      usage: null,
    });
  };
  return {
    step(step) {
      if ('text' in step) return [delta({ content: step.text })];
      if ('reasoning' in step) return [delta({ [step.field ?? 'reasoning_content']: step.reasoning })];
      if ('refusal' in step) return [delta({ refusal: step.refusal })];
      if ('comment' in step) return [Buffer.from(`: ${step.comment}${eol}${eol}`)];
      if ('error' in step) return [data({ error: step.error })];
      if ('raw' in step) return [Buffer.from(step.raw)];
      if (!('toolCalls' in step)) return [];
      const first = calls;
      calls += step.toolCalls.length;
      return callDeltas(step.toolCalls, first).map((tool_calls) => delta({ tool_calls }));
    },
    end() {
      if (finish === null) return [];
      const bytes = [delta({}, finishReason(script))];
      if (includeUsage && usage !== null) {
        bytes.push(data({ ...head, choices: [], usage: usage ?? wireUsage(script) }));
      }
      if (done) bytes.push(Buffer.from(`data: [DONE]${eol}${eol}`));
      return bytes;
    },
  };
}

/** A refusal is an answer that is complete. */
function finishReason(script: ModelScript): string {
  const reason = finishOf(script);
  return script.finish === undefined && reason === 'content_filter' ? 'stop' : reason;
}

/** As OpenAI sends it: id, type and name with the first fragment, afterwards only the index; calls take turns. */
function callDeltas(calls: readonly ScriptedCall[], first: number): object[][] {
  const deltas = calls.map(
    (call, n) =>
      [
        {
          index: first + n,
          id: idOf(call, first + n),
          type: 'function',
          function: { name: call.name, arguments: '' },
          ...call.extra,
        },
      ] as object[],
  );
  const rest = calls.map((call) => fragments(argumentsText(call)));
  while (rest.some(({ length }) => length > 0)) {
    for (const [n, pieces] of rest.entries()) {
      const piece = pieces.shift();
      if (piece !== undefined) deltas.push([{ index: first + n, function: { arguments: piece } }]);
    }
  }
  return deltas;
}

function wholeAnswer(model: string, script: ModelScript): object {
  const { steps = [], usage } = script;
  const calls = steps.flatMap((step) => ('toolCalls' in step ? step.toolCalls : []));
  const message = {
    role: 'assistant',
    content: steps.map((step) => ('text' in step ? step.text : '')).join(''),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call, n) => ({
            id: idOf(call, n),
            type: 'function',
            function: { name: call.name, arguments: argumentsText(call) },
          })),
        }),
  };
  return {
    id: 'chatcmpl-test',
    object: 'chat.completion',
    created: CREATED,
    model,
    choices: [{ index: 0, message, finish_reason: finishReason(script) }],
    ...(usage === null ? {} : { usage: usage ?? wireUsage(script) }),
  };
}

function idOf(call: ScriptedCall, index: number): string {
  return call.id ?? `call_${index + 1}`;
}

function wireUsage(script: ModelScript): object {
  const { input, output, cached, reasoning } = tokensOf(script);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}
