import { z } from 'zod';
import { engineTypeSchema, jsonObjectSchema } from './common.ts';

export const ENGINE_STATUSES = ['running', 'failed'] as const;
export type EngineStatus = (typeof ENGINE_STATUSES)[number];

export const linkEngineSchema = z
  .object({ engine_type: engineTypeSchema, engine_config: jsonObjectSchema.optional() })
  .meta({ id: 'LinkEngine' });

export const linkedEngineSchema = z
  .object({ engine_id: z.string(), engine_type: engineTypeSchema, status: z.enum(ENGINE_STATUSES) })
  .meta({
    id: 'LinkedEngine',
    examples: [{ engine_id: 'engine_123', engine_type: 'ToolChatEngine', status: 'running' }],
  });
export type LinkedEngine = z.infer<typeof linkedEngineSchema>;

export const engineDetailSchema = linkedEngineSchema
  .extend({ engine_config: jsonObjectSchema })
  .meta({ id: 'Engine' });

export const engineCommandSchema = z.object({
  command: z.string(),
  description: z.string(),
  parameters: jsonObjectSchema.meta({ description: 'JSON Schema of the parameters' }),
});
export const engineTypeInfoSchema = z
  .object({
    engine_type: engineTypeSchema,
    description: z.string(),
    commands: z.array(engineCommandSchema),
    config: jsonObjectSchema.meta({ description: 'JSON Schema of engine_config' }),
  })
  .meta({ id: 'EngineType' });
export type EngineTypeInfo = z.infer<typeof engineTypeInfoSchema>;

export const engineTypesResponseSchema = z
  .object({ engines: z.array(engineTypeInfoSchema), engine_types: z.array(engineTypeSchema) })
  .meta({ id: 'EngineTypes' });
