import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../config.ts';
import type { Models } from './registry.ts';

const DEMO = 'demo';

/** The default model of a provider whose key is there, in the order in which they are looked at. */
const DEFAULTS = [
  ['OPENAI_API_KEY', 'openai:gpt-5.4-mini'],
  ['ANTHROPIC_API_KEY', 'anthropic:claude-sonnet-5'],
  ['GOOGLE_GENERATIVE_AI_API_KEY', 'google:gemini-3.5-flash'],
] as const;

type Config = Pick<APIConfig, 'values' | 'providers'>;

/**
 * The default model as far as the configuration says: undefined when it says nothing. With `OPENAI_BASE_URL` nobody knows
 * what the models are called there, so it is no reason to guess.
 */
export function configuredModel({ values, providers }: Config): string | undefined {
  if (values.model !== undefined) return values.model;
  if (providers.OPENAI_BASE_URL !== undefined) return DEMO;
  return DEFAULTS.find(([key]) => providers[key] !== undefined)?.[1];
}

/** @param localModel One that runs on this machine. */
export function chooseDefault(config: Config, localModel: string | undefined): string {
  return configuredModel(config) ?? localModel ?? DEMO;
}

/** One line for whoever starts the server: what to set for a real model. Undefined when there is one. */
export function hintFor(defaultModel: string, { values, providers }: Config): string | undefined {
  if (values.model !== undefined || defaultModel !== DEMO) return undefined;
  return providers.OPENAI_BASE_URL === undefined
    ? 'For a real one: OPENAI_API_KEY, ANTHROPIC_API_KEY, or LLMGINE_API_MODEL=ollama:NAME'
    : 'OPENAI_BASE_URL is set, but the demo answers: set LLMGINE_API_MODEL=openai-compatible:NAME';
}

/** A default model that is not there stops the start, not the first run. Throws `ConfigError` when it is configured. */
export function checkDefaultModel(models: Models, config: APIConfig): void {
  const { model } = config.values;
  const known = models.knownProviders;
  try {
    models.resolve();
  } catch (error) {
    if (model === undefined || !(error instanceof ApiError)) throw error;
    const isKnown = model.split(',').every((name) => known.includes(name.trim().split(':', 1)[0] ?? ''));
    throw config.refuse(
      'model',
      isKnown ? error.message : `must be \`provider:model\` with one of these providers: ${known.join(', ')}`,
    );
  }
}
