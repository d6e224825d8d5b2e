/** What a model server of tests is told to say. The same script works on every wire; see `model-server.ts`. */
export interface Gate {
  /** Resolves when the server stands at the gate and all bytes before it were handed to the socket. */
  readonly reached: Promise<void>;
  release(): void;
}

export interface ScriptedCall {
  /** Default: `call_1`, `call_2`, … in the order of the answer; on Anthropic's wire unique, on Gemini's none. */
  readonly id?: string;
  readonly name: string;
  /** A value is sent as its JSON; a string as it is, also when it is no JSON. */
  readonly arguments: object | string;
  /** The thought signature of the call (Gemini). */
  readonly signature?: string;
  /** Fields that go with the call as they are (OpenAI), for example `extra_content`. */
  readonly extra?: object;
}

export type Step =
  | { readonly text: string /** Gemini. */; readonly signature?: string }
  /** A signature ends the block of reasoning; Anthropic's server signs a block without one itself. */
  | {
      readonly reasoning: string;
      readonly field?: 'reasoning' | 'reasoning_content';
      readonly signature?: string;
    }
  /** Reasoning that the provider keeps to itself: what goes back instead of it. OpenAI's wire has none. */
  | { readonly redacted: string }
  | { readonly refusal: string }
  | { readonly toolCalls: readonly ScriptedCall[] }
  | { readonly error: object | string }
  | { readonly comment: string }
  | { readonly raw: string | Buffer }
  | { readonly gate: Gate }
  | { readonly drop: true };

/** What an answer has used, in nobody's words. */
export interface ScriptedTokens {
  readonly input: number;
  readonly output: number;
  readonly cached?: number;
  readonly reasoning?: number;
}

export interface ModelScript {
  /** Default 200. Anything else answers with `error` and no steps. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The error, in the envelope of the wire, when `status` is not 200; a string is sent as it is, as text/plain. */
  readonly error?: object | string;
  /** Holds the response before its headers. */
  readonly headersGate?: Gate;
  readonly steps?: readonly Step[];
  /**
   * `stop`, `length`, `tool_calls` and `content_filter` are said in the words of the wire, anything else as it is. Default
   * `stop`, or `tool_calls` when there were any; null: the stream just ends, without `[DONE]`.
   */
  readonly finish?: string | null;
  /** What was used, in the provider's words; null: nothing is said of it. */
  readonly usage?: object | null;
  /** The same for every wire. Default 10 tokens of input and one of output for each step. */
  readonly tokens?: ScriptedTokens;
  /** False leaves `[DONE]` out, or the last event. Default true. */
  readonly done?: boolean;
  /** Bytes in each write, each one a network chunk of its own. Default: one write a step. */
  readonly cut?: number;
  /** What is between two gates goes in one write. */
  readonly burst?: boolean;
  readonly eol?: '\n' | '\r\n';
  /** One JSON answer although it was asked to stream (OpenAI). */
  readonly json?: boolean;
}

/** Characters of text arguments in one chunk. */
const FRAGMENT = 5;

export function argumentsText({ arguments: args }: ScriptedCall): string {
  return typeof args === 'string' ? args : JSON.stringify(args);
}

export function fragments(text: string): string[] {
  return Array.from({ length: Math.ceil(text.length / FRAGMENT) }, (_, n) =>
    text.slice(n * FRAGMENT, (n + 1) * FRAGMENT),
  );
}

/** The neutral reason to finish that a script means. */
export function finishOf({ finish, steps = [] }: ModelScript): string {
  if (typeof finish === 'string') return finish;
  if (steps.some((step) => 'refusal' in step)) return 'content_filter';
  return steps.some((step) => 'toolCalls' in step) ? 'tool_calls' : 'stop';
}

export function tokensOf({ tokens, steps = [] }: ModelScript): ScriptedTokens {
  return tokens ?? { input: 10, output: steps.length };
}
