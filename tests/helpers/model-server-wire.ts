/** The bytes of the OpenAI chat-completions wire, for `model-server.ts`. */
import type { Gate, ModelScript } from './model-server.ts';

export interface ScriptedCall {
  /** Default `call_1`, `call_2`, … in the order of the answer. */
  readonly id?: string;
  readonly name: string;
  /** A value is sent as its JSON; a string as it is, also when it is no JSON. */
  readonly arguments: object | string;
}

export type Step =
  | { readonly text: string }
  | { readonly reasoning: string; readonly field?: 'reasoning' | 'reasoning_content' }
  | { readonly toolCalls: readonly ScriptedCall[] }
  | { readonly error: object | string }
  | { readonly comment: string }
  | { readonly raw: string | Buffer }
  | { readonly gate: Gate }
  | { readonly drop: true };

/** Characters of tool arguments in one chunk. */
const FRAGMENT = 5;
const CREATED = 1_700_000_000;

type Writer = {
  step(step: Step): Buffer[];
  end(script: ModelScript, includeUsage: boolean, tokens: number): Buffer[];
};

export function chunkWriter(model: string, eol: string): Writer {
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
      if ('comment' in step) return [Buffer.from(`: ${step.comment}${eol}${eol}`)];
      if ('error' in step) return [data({ error: step.error })];
      if ('raw' in step) return [Buffer.from(step.raw)];
      if (!('toolCalls' in step)) return [];
      const first = calls;
      calls += step.toolCalls.length;
      return callDeltas(step.toolCalls, first).map((tool_calls) => delta({ tool_calls }));
    },
    end({ finish, usage, done = true }, includeUsage, tokens) {
      if (finish === null) return [];
      const bytes = [delta({}, finish ?? (calls > 0 ? 'tool_calls' : 'stop'))];
      if (includeUsage && usage !== null) {
        bytes.push(data({ ...head, choices: [], usage: usage ?? defaultUsage(tokens) }));
      }
      if (done) bytes.push(Buffer.from(`data: [DONE]${eol}${eol}`));
      return bytes;
    },
  };
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
        },
      ] as object[],
  );
  const rest = calls.map((call) => jsonOf(call));
  while (rest.some((text) => text !== '')) {
    for (const [n, text] of rest.entries()) {
      if (text === '') continue;
      deltas.push([{ index: first + n, function: { arguments: text.slice(0, FRAGMENT) } }]);
      rest[n] = text.slice(FRAGMENT);
    }
  }
  return deltas;
}

export function wholeAnswer(model: string, { steps = [], finish, usage }: ModelScript): object {
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
            function: { name: call.name, arguments: jsonOf(call) },
          })),
        }),
  };
  return {
    id: 'chatcmpl-test',
    object: 'chat.completion',
    created: CREATED,
    model,
    choices: [{ index: 0, message, finish_reason: finish ?? (calls.length > 0 ? 'tool_calls' : 'stop') }],
    ...(usage === null ? {} : { usage: usage ?? defaultUsage(steps.length) }),
  };
}

function idOf(call: ScriptedCall, index: number): string {
  return call.id ?? `call_${index + 1}`;
}

function jsonOf(call: ScriptedCall): string {
  return typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments);
}

function defaultUsage(tokens: number): object {
  return { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens };
}
