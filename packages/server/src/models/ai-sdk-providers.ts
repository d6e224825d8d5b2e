/** The providers whose packages come with the server. Each is loaded by the first call of one of its models. */
import { aiSdkProvider } from './ai-sdk.ts';
import { checkModelName } from './openai-compatible.ts';
import type { ModelTimeouts } from './stall-timer.ts';
import type { ModelProvider } from './types.ts';

export interface AiSdkProviderSettings {
  readonly apiKey: string | undefined;
  /** Default: the provider's own. */
  readonly baseURL?: string | undefined;
  readonly timeouts?: Partial<ModelTimeouts>;
  /** Default: the one of the platform. */
  readonly fetch?: typeof globalThis.fetch;
}

/** OpenAI's chat completions. */
export function openAIProvider(settings: AiSdkProviderSettings): ModelProvider {
  return aiSdkProvider({
    ...common('openai', settings),
    readsFile: (type, source) => type.startsWith('image/') || (type === PDF && source === 'data'),
    // Strict means that the schema may use only a part of JSON Schema.
    providerOptions: () => ({ openai: { strictJsonSchema: false } }),
    model: async (model) => {
      const { createOpenAI } = await import('@ai-sdk/openai');
      return createOpenAI(options(settings)).chat(model);
    },
  });
}

export function anthropicProvider(settings: AiSdkProviderSettings): ModelProvider {
  return aiSdkProvider({
    ...common('anthropic', settings),
    readsFile: (type) => /^image\/(jpeg|png|gif|webp)$/.test(type) || type === PDF,
    reasonsFromTheStart: true,
    needsToolsOfCalls: true,
    // They are its sign of life while it thinks.
    providerOptions: () => ({ anthropic: { includePings: true } }),
    model: async (model) => {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic({ ...options(settings), ...versioned(settings.baseURL) })(model);
    },
  });
}

export function googleProvider(settings: AiSdkProviderSettings): ModelProvider {
  return aiSdkProvider({
    ...common('google', settings),
    // Addresses it reads only where they are its own.
    readsFile: (type, source) => source === 'data' && (/^(image|audio|video)\//.test(type) || type === PDF),
    providerOptions: ({ reasoningEffort = 'none' }) =>
      reasoningEffort === 'none' ? {} : { google: { thinkingConfig: { includeThoughts: true } } },
    model: async (model) => {
      const { createGoogleGenerativeAI } = await import('@ai-sdk/google');
      return createGoogleGenerativeAI(options(settings))(model);
    },
  });
}

const PDF = 'application/pdf';

function common(name: string, { apiKey, timeouts }: AiSdkProviderSettings) {
  return {
    name,
    secrets: [apiKey],
    check: (model: string) => void checkModelName(name, model),
    ...(timeouts === undefined ? {} : { timeouts }),
  };
}

/** What is not given is left out: the packages would look into the environment of the process for it. */
function options({ apiKey = '', baseURL, fetch }: AiSdkProviderSettings) {
  return {
    apiKey,
    ...(baseURL === undefined ? {} : { baseURL }),
    ...(fetch === undefined ? {} : { fetch }),
  };
}

/** Anthropic's own tools take the address without the version, the AI SDK takes it with. */
function versioned(baseURL = 'https://api.anthropic.com') {
  const base = baseURL.replace(/\/+$/, '');
  return { baseURL: /\/v\d+$/.test(base) ? base : `${base}/v1` };
}
