import { ApiError } from '@llmgine/protocol';
import { builtinProviders, type ModelsConfig } from './builtin-providers.ts';
import { chooseDefault, hintFor } from './default-model.ts';
import type { Prices } from './pricing.ts';
import { resilientModel } from './resilient.ts';
import type { TranscriptionModel } from './transcription.ts';
import { defaultTranscriptionModel } from './transcription-provider.ts';
import { resilientTranscription } from './transcription-resilient.ts';
import type { Model, ModelProvider } from './types.ts';

export interface ModelsOptions {
  readonly config: ModelsConfig;
  /** Besides the built-in ones; one with the name of a built-in one replaces it. */
  readonly providers?: readonly ModelProvider[];
  /** A model that was found running on this machine, see `findLocalModel`: the default when nothing is configured. */
  readonly localModel?: string | undefined;
  /** Where packages of further providers are looked for, besides the server's own. Default: the working directory. */
  readonly directory?: string;
}

/** The models of one application. */
export interface Models {
  /**
   * The model called `provider:model` (split at the first colon), or `provider` alone where the provider has a default
   * of its own; of several, separated by commas, each stands in for those before it; without a name the default model.
   * Throws `VALIDATION_ERROR`. Asks no provider.
   */
  resolve(name?: string): Model;
  /** The same for models that turn speech into text; with prices, their usage says what it has cost. */
  resolveTranscription(name?: string, prices?: Prices): TranscriptionModel;
  readonly defaultModel: string;
  /** One line for whoever starts the server: what to set for a real model. Undefined when one is configured. */
  readonly hint: string | undefined;
  /** Those that can be used now: their key is set, their package installed. */
  readonly providers: readonly string[];
  /** All of them, also those that lack something. */
  readonly knownProviders: readonly string[];
  /** A provider with a name that is there already replaces it. */
  register(provider: ModelProvider): void;
  /** Ends the connections of the built-in providers, and what still runs on them. Idempotent. */
  close(): Promise<void>;
}

/** Throws `ConfigError` when an address of a provider is none. */
export function createModels(options: ModelsOptions): Models {
  const { config, providers: extra = [], localModel } = options;
  const builtin = builtinProviders(config, localModel !== undefined, options.directory);
  const providers = new Map<string, ModelProvider>();
  const usable = new Set<string>();
  const register = (provider: ModelProvider, isUsable = true) => {
    providers.set(provider.name, provider);
    if (isUsable) usable.add(provider.name);
  };
  for (const { provider, isUsable } of builtin.all) register(provider, isUsable);
  for (const provider of extra) register(provider);
  const defaultModel = chooseDefault(config, localModel);

  /** Splits at the first colon. */
  const find = (name: string): { readonly provider: ModelProvider; readonly model: string } => {
    const colon = name.indexOf(':');
    const providerName = colon === -1 ? name : name.slice(0, colon);
    const provider = providers.get(providerName);
    if (provider) return { provider, model: colon === -1 ? '' : name.slice(colon + 1) };
    throw new ApiError(
      'VALIDATION_ERROR',
      `There is no model provider ${JSON.stringify(providerName.slice(0, 100))}; there are: ${[...usable].join(', ')}`,
    );
  };

  return {
    defaultModel,
    hint: hintFor(defaultModel, config),
    get providers() {
      return [...usable];
    },
    get knownProviders() {
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
    resolveTranscription: (names = defaultTranscriptionModel(config), prices) =>
      resilientTranscription(
        names.split(',').map((name) => {
          const { provider, model } = find(name.trim());
          if (provider.transcriptionModel) return provider.transcriptionModel(model);
          throw new ApiError('VALIDATION_ERROR', `${provider.name} has no models that turn speech into text`);
        }),
        { retries: config.values.modelRetries, prices },
      ),
    register: (provider) => register(provider),
    close: () => builtin.close(),
  };
}
