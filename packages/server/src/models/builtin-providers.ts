/** The providers that every server knows, as the environment configures them. */
import { ApiError } from '@llmgine/protocol';
import type { APIConfig, ProviderVariable } from '../config.ts';
import { aiSdkProvider } from './ai-sdk.ts';
import { anthropicProvider, googleProvider, openAIProvider } from './ai-sdk-providers.ts';
import { demo } from './demo.ts';
import {
  assertUsable,
  FURTHER_PROVIDERS,
  type FurtherProvider,
  isUsable,
  loadModel,
} from './further-providers.ts';
import { ollamaOrigin } from './local-model.ts';
import { createModelFetch } from './model-fetch.ts';
import {
  type ClosableProvider,
  checkModelName,
  OPENAI_BASE_URL,
  type OpenAICompatibleOptions,
  openAICompatible,
} from './openai-compatible.ts';
import { openAICompatibleAiSdk } from './openai-compatible-ai-sdk.ts';
import { providerAddress } from './provider-address.ts';
import type { ModelTimeouts } from './stall-timer.ts';
import { withTranscription } from './transcription-provider.ts';
import type { ModelProvider } from './types.ts';

export type ModelsConfig = Pick<APIConfig, 'values' | 'providers'>;

export interface BuiltinProvider {
  readonly provider: ModelProvider;
  /** It has what it needs: its key, its address, its package. */
  readonly isUsable: boolean;
}

export interface BuiltinProviders {
  readonly all: readonly BuiltinProvider[];
  /** Ends their connections, and what still runs on them. Idempotent. */
  close(): Promise<void>;
}

/**
 * @param hasOllama It has answered.
 * @param directory Where packages of further providers may be installed, besides the server's own.
 */
export function builtinProviders(
  config: ModelsConfig,
  hasOllama: boolean,
  directory = process.cwd(),
): BuiltinProviders {
  const { values, providers: variables } = config;
  const timeouts: Partial<ModelTimeouts> = {
    connect: values.modelConnectTimeout * 1000,
    firstToken: values.modelFirstTokenTimeout * 1000,
    betweenChunks: values.modelTokenTimeout * 1000,
  };
  const connections = createModelFetch(values.modelConnectTimeout * 1000);
  const { fetch } = connections;
  const closable: { close(): Promise<void> }[] = [connections];
  const closing = (provider: ClosableProvider) => {
    closable.push(provider);
    return provider;
  };
  const keyed = (provider: ModelProvider, key: ProviderVariable): BuiltinProvider => {
    const isThere = variables[key] !== undefined;
    return isThere ? { provider, isUsable: true } : unusable(provider, `${provider.name} models need ${key}`);
  };
  const compatible = (options: OpenAICompatibleOptions) =>
    values.modelAdapter === 'lean'
      ? openAICompatible(options)
      : { ...openAICompatibleAiSdk({ ...options, fetch }), close: async () => undefined };

  const apiKey = variables.OPENAI_API_KEY;
  const openai = { apiKey, baseURL: baseURL(variables, 'OPENAI_BASE_URL') ?? OPENAI_BASE_URL, timeouts };
  const server = closing(withTranscription(compatible(openai), openai));
  const isServerKnown = apiKey !== undefined || variables.OPENAI_BASE_URL !== undefined;
  const ollama = openAICompatible({
    name: 'ollama',
    baseURL: `${ollamaOrigin(variables.OLLAMA_HOST)}/v1`,
    timeouts,
  });
  const all: BuiltinProvider[] = [
    { provider: demo(), isUsable: true },
    keyed(
      closing(withTranscription({ ...openAIProvider({ ...openai, fetch }), close: async () => {} }, openai)),
      'OPENAI_API_KEY',
    ),
    keyed(
      anthropicProvider({
        apiKey: variables.ANTHROPIC_API_KEY,
        baseURL: baseURL(variables, 'ANTHROPIC_BASE_URL'),
        timeouts,
        fetch,
      }),
      'ANTHROPIC_API_KEY',
    ),
    keyed(
      googleProvider({
        apiKey: variables.GOOGLE_GENERATIVE_AI_API_KEY,
        baseURL: baseURL(variables, 'GOOGLE_GENERATIVE_AI_BASE_URL'),
        timeouts,
        fetch,
      }),
      'GOOGLE_GENERATIVE_AI_API_KEY',
    ),
    isServerKnown
      ? { provider: server, isUsable: true }
      : unusable(
          server,
          'openai-compatible models need OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own',
        ),
    { provider: closing(ollama), isUsable: hasOllama || variables.OLLAMA_HOST !== undefined },
    ...FURTHER_PROVIDERS.map((further) => ({
      provider: furtherProvider(further, config, { timeouts, fetch, directory }),
      isUsable: isUsable(further, variables, directory),
    })),
  ];
  return {
    all,
    close: async () => {
      await Promise.all(closable.map((one) => one.close()));
    },
  };
}

function furtherProvider(
  further: FurtherProvider,
  { providers: variables }: ModelsConfig,
  options: { timeouts: Partial<ModelTimeouts>; fetch: typeof globalThis.fetch; directory: string },
): ModelProvider {
  const { timeouts, fetch, directory } = options;
  return aiSdkProvider({
    name: further.name,
    timeouts,
    secrets: Object.values(further.options).map((variable) => variables[variable]),
    check: (model) => {
      assertUsable(further, variables, directory);
      checkModelName(further.name, model);
    },
    model: (model) => loadModel(further, model, { variables, fetch, directory }),
  });
}

function unusable(provider: ModelProvider, reason: string): BuiltinProvider {
  const refuse = () => {
    throw new ApiError('VALIDATION_ERROR', reason);
  };
  const speech = provider.transcriptionModel ? { transcriptionModel: refuse } : {};
  return { provider: { name: provider.name, model: refuse, ...speech }, isUsable: false };
}

/** Throws `ConfigError`. */
function baseURL(
  variables: ModelsConfig['providers'],
  name: 'OPENAI_BASE_URL' | 'ANTHROPIC_BASE_URL' | 'GOOGLE_GENERATIVE_AI_BASE_URL',
): string | undefined {
  const value = variables[name];
  return value && providerAddress(name, value, 'a URL such as http://localhost:8080/v1').href;
}
