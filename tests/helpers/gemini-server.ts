/**
 * A server of the Gemini wire (`streamGenerateContent` with server-sent events) for tests, scripted like
 * `model-server.ts`. It takes back only the thought signatures that it has given, and of models of the third generation it
 * wants them back.
 *
 *     const server = await startGeminiServer();
 *     // GOOGLE_GENERATIVE_AI_BASE_URL=server.baseUrl, LLMGINE_API_MODEL=google:any-name
 */
import { validateGemini } from './gemini-server-rules.ts';
import { ModelServer } from './model-server.ts';
import {
  argumentsText,
  finishOf,
  type ModelScript,
  type ScriptedCall,
  type Step,
  tokensOf,
} from './model-server-script.ts';
import type { StreamWriter, Wire } from './model-server-wire.ts';

/** The body of a request, as far as tests look into it. */
export interface GeminiBody {
  readonly contents: readonly {
    readonly role: string;
    readonly parts: readonly {
      readonly text?: string;
      readonly thought?: boolean;
      readonly thoughtSignature?: string;
      readonly functionCall?: { readonly name: string; readonly args: object };
      readonly functionResponse?: { readonly name: string; readonly response: object };
      readonly [field: string]: unknown;
    }[];
  }[];
  readonly [setting: string]: unknown;
}

const ROUTE = /\/models\/([^/]+):streamGenerateContent$/;
const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  tool_calls: 'STOP',
  content_filter: 'SAFETY',
};
const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
};

function geminiWire(): Wire<GeminiBody> {
  const signatures = new Set<string>();
  return {
    basePath: '/v1beta',
    isRoute: (path) => ROUTE.test(path),
    complaints: ({ path, body }) =>
      validateGemini(body, {
        isSigned: (signature) => signatures.has(signature),
        needsSignatures: modelOf(path).startsWith('gemini-3'),
      }),
    stream: ({ path }, script) => chunkWriter(modelOf(path), script, signatures),
    whole: () => {
      throw new Error('this server only streams');
    },
    error: (status, error) => ({ error: errorOf(status, error) }),
  };
}

export async function startGeminiServer(): Promise<ModelServer<GeminiBody>> {
  const server = new ModelServer(geminiWire());
  await server.listen();
  return server;
}

function modelOf(path: string): string {
  return ROUTE.exec(path.split('?')[0] ?? '')?.[1] ?? '';
}

function errorOf(code: number, error: object): object {
  return { code, status: STATUSES[code] ?? 'INTERNAL', ...error };
}

function chunkWriter(modelVersion: string, script: ModelScript, signatures: Set<string>): StreamWriter {
  const { eol = '\n', finish } = script;
  const data = (value: object) => Buffer.from(`data: ${JSON.stringify(value)}${eol}${eol}`);
  const chunk = (candidate: object, usageMetadata?: object) =>
    data({
      candidates: [{ index: 0, ...candidate }],
      ...(usageMetadata === undefined ? {} : { usageMetadata }),
      modelVersion,
      responseId: 'response-test',
    });
  const content = (...parts: object[]) => chunk({ content: { role: 'model', parts } });
  const signed = (signature: string | undefined) => {
    if (signature === undefined) return {};
    signatures.add(signature);
    return { thoughtSignature: signature };
  };
  const call = (made: ScriptedCall) => ({ functionCall: functionCall(made), ...signed(made.signature) });
  return {
    step(step: Step) {
      if ('text' in step) return [content({ text: step.text, ...signed(step.signature) })];
      if ('refusal' in step) return [content({ text: step.refusal })];
      if ('reasoning' in step) {
        return [content({ text: step.reasoning, thought: true, ...signed(step.signature) })];
      }
      if ('redacted' in step) return [content({ text: '', thought: true, ...signed(step.redacted) })];
      if ('toolCalls' in step) return [content(...step.toolCalls.map(call))];
      if ('comment' in step) return [Buffer.from(`: ${step.comment}${eol}${eol}`)];
      if ('error' in step) {
        const error = typeof step.error === 'string' ? { message: step.error } : step.error;
        return [data({ error: errorOf(500, error) })];
      }
      return 'raw' in step ? [Buffer.from(step.raw)] : [];
    },
    end() {
      if (finish === null) return [];
      const reason = finishOf(script);
      const usage = script.usage === null ? undefined : (script.usage ?? wireUsage(script));
      return [chunk({ finishReason: FINISH_REASONS[reason] ?? reason }, usage)];
    },
  };
}

/** Arguments come whole; text that is no JSON stays text. */
function functionCall(call: ScriptedCall): object {
  const { id, name } = call;
  const text = argumentsText(call);
  const args = text === '' ? {} : { args: parsed(text) };
  return { ...(id === undefined ? {} : { id }), name, ...args };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function wireUsage(script: ModelScript): object {
  const { input, output, cached, reasoning = 0 } = tokensOf(script);
  return {
    promptTokenCount: input,
    candidatesTokenCount: output - reasoning,
    totalTokenCount: input + output,
    ...(cached === undefined ? {} : { cachedContentTokenCount: cached }),
    ...(reasoning === 0 ? {} : { thoughtsTokenCount: reasoning }),
  };
}
