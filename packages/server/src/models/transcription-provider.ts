import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../config.ts';
import type { ClosableProvider, OpenAICompatibleOptions } from './openai-compatible.ts';
import type { Models } from './registry.ts';
import { openAITranscription } from './transcription-openai.ts';

const OPENAI_DEFAULT = 'openai:whisper-1';
const DEMO = 'demo';

/** The provider with the models of its server that turn speech into text, at the same address with the same key. */
export function withTranscription(
  provider: ClosableProvider,
  options: OpenAICompatibleOptions = {},
): ClosableProvider {
  const speech = openAITranscription({ ...options, name: provider.name });
  return {
    ...provider,
    transcriptionModel: (name) => speech.transcriptionModel(name),
    close: async () => {
      await Promise.all([provider.close(), speech.close()]);
    },
  };
}

/** With a base URL alone nobody knows what the models are called there, so it is no reason to guess. */
export function defaultTranscriptionModel({
  values,
  providers,
}: Pick<APIConfig, 'values' | 'providers'>): string {
  if (values.transcriptionModel !== undefined) return values.transcriptionModel;
  return providers.OPENAI_API_KEY !== undefined && providers.OPENAI_BASE_URL === undefined
    ? OPENAI_DEFAULT
    : DEMO;
}

/** A configured model that is not there stops the start, not the first recording. Throws `ConfigError`. */
export function checkTranscriptionModel(
  models: Pick<Models, 'resolveTranscription'>,
  config: Pick<APIConfig, 'values' | 'refuse'>,
): void {
  try {
    models.resolveTranscription();
  } catch (error) {
    if (config.values.transcriptionModel === undefined || !(error instanceof ApiError)) throw error;
    throw config.refuse('transcriptionModel', `there is no such model: ${error.message}`);
  }
}
