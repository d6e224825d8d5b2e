/** The engine: one call of the model for each text, with the languages in its instructions. */
import { defineEngine, modelConfigSchema, promptResult, streamModelStep } from '@llmgine/api';
import { z } from 'zod';

/** A name and nothing else: it becomes a part of the model's instructions. */
export const language = z
  .string()
  .regex(/^\p{L}[\p{L}() -]{1,39}$/u, 'must be the name of a language')
  .meta({ examples: ['German'] });

export const translationConfig = z.object({
  source_language: language.default('English'),
  target_language: language.default('German'),
  model: modelConfigSchema.shape.model,
});

/** What the command `translate` results in. */
export const translation = z.object({
  translation: z.string(),
  source_language: language,
  target_language: language,
});

export const translationEngine = defineEngine({
  type: 'TranslationEngine',
  description: 'Translates what it is given',
  config: translationConfig,
  commands: {
    translate: {
      description: 'Translates a text, for once maybe between other languages',
      parameters: z.object({
        text: z.string().min(1),
        source_language: language.optional(),
        target_language: language.optional(),
      }),
    },
  },
  create(config, services) {
    const model = services.model(config.model);
    return {
      async run(context) {
        const { parameters } = context;
        const text = context.command === 'prompt' ? context.parameters.prompt : context.parameters.text;
        const languages = translationConfig.parse({ ...config, ...parameters });
        const step = await streamModelStep(context, model, {
          system:
            `Translate what the user writes from ${languages.source_language} to ${languages.target_language}. ` +
            'Answer with the translation and nothing else.',
          messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
        });
        if (context.command === 'prompt') return promptResult(step);
        return translation.parse({ ...languages, translation: step.text });
      },
    };
  },
});
