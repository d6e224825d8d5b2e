/** What clients send, and what they are answered. */
import { defineMessage } from '@llmgine/api';
import { z } from 'zod';
import { language, translation } from './engine.ts';

export class TranslateRequest extends defineMessage(
  'translate_request',
  z.object({ text: z.string().min(1).max(20_000), target_language: language.optional() }),
  { description: 'Translates a text with the languages of the session' },
) {}

export class TranslationResponse extends defineMessage(
  'translation_response',
  translation.extend({ run_id: z.uuid() }),
) {}

export class SetLanguage extends defineMessage(
  'set_language',
  z.object({ target_language: language, source_language: language.optional() }),
  { description: 'Chooses the languages of the session' },
) {}

export class LanguageSet extends defineMessage(
  'language_set',
  z.object({ source_language: language, target_language: language, engine_id: z.string() }),
) {}
