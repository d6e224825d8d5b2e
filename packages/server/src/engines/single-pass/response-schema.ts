import { jsonObjectSchema } from '@llmgine/protocol';
import { compileSchema } from '../../validation/json-schema.ts';

/** JSON Schema that an answer has to fit. One that is none is refused before a model is asked. */
export const responseSchema = jsonObjectSchema
  .superRefine((schema, context) => {
    try {
      compileSchema(schema);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  })
  .describe('JSON Schema (draft 2020-12) of the answer, which is then the `value` of the result');
