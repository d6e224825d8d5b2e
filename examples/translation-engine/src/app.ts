import {
  type App,
  type AppOptions,
  createApp,
  EngineConfiguration,
  ExtensibleAPIFactory,
} from '@llmgine/api';
import { translationEngine } from './engine.ts';
import { SetLanguageHandler, TranslateHandler } from './handlers.ts';

export function createTranslationApp(config: NonNullable<AppOptions['config']> = {}): Promise<App> {
  const apiFactory = new ExtensibleAPIFactory(new EngineConfiguration({ engineName: 'TranslationEngine' }))
    .registerEngine(translationEngine)
    .registerCustomHandler('translate_request', TranslateHandler)
    .registerCustomHandler('set_language', SetLanguageHandler);
  return createApp({ config, apiFactory });
}
