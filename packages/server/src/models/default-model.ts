import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../config.ts';
import type { Models } from './registry.ts';

/** A default model that is not there stops the start, not the first run. Throws `ConfigError` when it is configured. */
export function checkDefaultModel(models: Models, config: APIConfig): void {
  const { model } = config.values;
  try {
    models.resolve();
  } catch (error) {
    if (model === undefined || !(error instanceof ApiError)) throw error;
    const isProvider = models.providers.includes(model.split(':', 1)[0] as string);
    const providers = models.providers.join(', ');
    throw config.refuse(
      'model',
      isProvider ? error.message : `must be \`provider:model\` with one of these providers: ${providers}`,
    );
  }
}
