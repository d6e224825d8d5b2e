import { ApiError, BaseHandler, type HandlerContext } from '@llmgine/api';
import { translation, translationConfig, translationEngine } from './engine.ts';
import { LanguageSet, SetLanguage, TranslateRequest, TranslationResponse } from './messages.ts';

/** Runs the engine's `translate`. A text that takes longer than a handler may is one for the command itself. */
export class TranslateHandler extends BaseHandler<TranslateRequest> {
  readonly messageType = 'translate_request';
  readonly requestModel = TranslateRequest;
  override readonly responseModel = TranslationResponse;

  async handle(message: TranslateRequest, { session, signal }: HandlerContext) {
    const run = await session.run('translate', message.data, { signal });
    if (run.status !== 'completed') {
      throw new ApiError('MODEL_ERROR', run.error?.message ?? 'The translation was cancelled');
    }
    return new TranslationResponse({ ...translation.parse(run.result), run_id: run.run_id });
  }
}

/**
 * The languages are the configuration of the session's engine, so choosing others links the engine again. That makes them
 * durable, tells every client that follows the session, and leaves alone what is being translated right now.
 */
export class SetLanguageHandler extends BaseHandler<SetLanguage> {
  readonly messageType = 'set_language';
  readonly requestModel = SetLanguage;
  override readonly responseModel = LanguageSet;

  async handle(message: SetLanguage, { session }: HandlerContext) {
    const engine = await session.engine();
    const before = engine?.engineType === translationEngine.type ? engine.config : {};
    const config = translationConfig.parse({ ...before, ...message.data });
    const { engine_id } = await session.linkEngine(translationEngine.type, config);
    const { source_language, target_language } = config;
    return new LanguageSet({ source_language, target_language, engine_id });
  }
}
