import { ApiError } from '@llmgine/protocol';
import { type APIConfig, ConfigError } from '../config.ts';
import { demo } from './demo.ts';
import { createRedact } from './model-error.ts';
import { type ClosableProvider, OPENAI_BASE_URL, openAICompatible } from './openai-compatible.ts';
import { openAICompatibleAiSdk } from './openai-compatible-ai-sdk.ts';
import { resilientModel } from './resilient.ts';
import type { TranscriptionModel } from './transcription.ts';
import type { Model, ModelProvider } from './types.ts';

const OPENAI_DEFAULT = 'openai-compatible:gpt-5-mini';
const DEMO = 'demo';

export interface ModelsOptions {
  readonly config: Pick<APIConfig, 'values' | 'providers'>;
  /** Besides the built-in ones; one with the name of a built-in one replaces it. */
  readonly providers?: readonly ModelProvider[];
}

/** The models of one application. */
export interface Models {
  /**
   * The model called `provider:model` (split at the first colon), or `provider` alone where the provider has a default
   * of its own; without a name the default model. Throws `VALIDATION_ERROR`. Does no I/O.
   */
  resolve(name?: string): Model;
  /** The same for models that turn speech into text. */
  resolveTranscription(name?: string): TranscriptionModel;
  readonly defaultModel: string;
  /** One line for whoever starts the server: what to set for a real model. Undefined when one is configured. */
  readonly hint: string | undefined;
  readonly providers: readonly string[];
  /** A provider with a name that is there already replaces it. */
  register(provider: ModelProvider): void;
  /** Ends the connections of the built-in providers, and what still runs on them. Idempotent. */
  close(): Promise<void>;
}

/** Throws `ConfigError` when `OPENAI_BASE_URL` is no URL. */
export function createModels({ config, providers: extra = [] }: ModelsOptions): Models {
  const openai = openAIProvider(config);
  const providers = new Map<string, ModelProvider>();
  for (const provider of [demo(), openai, ...extra]) providers.set(provider.name, provider);
  const defaultModel = config.values.model ?? chooseDefault(config);

  /** Splits at the first colon. */
  const find = (name: string): { readonly provider: ModelProvider; readonly model: string } => {
    const colon = name.indexOf(':');
    const providerName = colon === -1 ? name : name.slice(0, colon);
    const provider = providers.get(providerName);
    if (provider) return { provider, model: colon === -1 ? '' : name.slice(colon + 1) };
    throw new ApiError(
      'VALIDATION_ERROR',
      `There is no model provider ${JSON.stringify(providerName.slice(0, 100))}; there are: ${[...providers.keys()].join(', ')}`,
    );
  };

  return {
    defaultModel,
    hint: hintFor(defaultModel, config),
    get providers() {
      return [...providers.keys()];
    },
    resolve: (names = defaultModel) =>
      resilientModel(
        names.split(',').map((name) => {
          const { provider, model } = find(name.trim());
          return provider.model(model);
        }),
        { retries: config.values.modelRetries },
      ),
    resolveTranscription: (name = config.values.transcriptionModel) => {
      if (name === undefined) throw new ApiError('VALIDATION_ERROR', 'No transcription model is configured');
      const { provider, model } = find(name);
      if (provider.transcriptionModel) return provider.transcriptionModel(model);
      throw new ApiError('VALIDATION_ERROR', `${provider.name} has no models that turn speech into text`);
    },
    register: (provider) => {
      providers.set(provider.name, provider);
    },
    close: async () => openai.close(),
  };
}

function openAIProvider({ values, providers }: ModelsOptions['config']): ClosableProvider {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseURL = OPENAI_BASE_URL } = providers;
  if (!/^https?:/i.test(baseURL) || !URL.canParse(baseURL)) {
    throw new ConfigError(
      `OPENAI_BASE_URL is ${JSON.stringify(createRedact()(baseURL))}, but must be a URL such as http://localhost:11434/v1`,
    );
  }
  const options = { apiKey, baseURL };
  const provider =
    values.modelAdapter === 'lean'
      ? openAICompatible(options)
      : { ...openAICompatibleAiSdk(options), close: async () => undefined };
  const isConfigured = apiKey !== undefined || providers.OPENAI_BASE_URL !== undefined;
  return {
    ...provider,
    model: (name) => {
      if (isConfigured) return provider.model(name);
      throw new ApiError(
        'VALIDATION_ERROR',
        'openai-compatible models need OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own',
      );
    },
  };
}

/** With a base URL alone nobody knows what the models are called there, so it is no reason to guess. */
function chooseDefault({ providers }: ModelsOptions['config']): string {
  return providers.OPENAI_API_KEY !== undefined && providers.OPENAI_BASE_URL === undefined
    ? OPENAI_DEFAULT
    : DEMO;
}

function hintFor(defaultModel: string, { values, providers }: ModelsOptions['config']): string | undefined {
  if (values.model !== undefined || defaultModel !== DEMO) return undefined;
  return providers.OPENAI_BASE_URL === undefined
    ? 'For a real one: OPENAI_API_KEY, or OPENAI_BASE_URL and LLMGINE_API_MODEL=openai-compatible:NAME'
    : 'OPENAI_BASE_URL is set, but the demo answers: set LLMGINE_API_MODEL=openai-compatible:NAME';
}
