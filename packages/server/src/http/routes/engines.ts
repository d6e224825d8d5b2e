import { engineTypesResponseSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

export function registerEngines(app: HttpApp, { engines }: Services): void {
  app.get(
    '/api/engines',
    {
      config: { permission: 'info:read' },
      schema: {
        operationId: 'listEngineTypes',
        tags: ['engines'],
        summary: 'The engine types that can be linked, with their commands and configuration',
        response: { 200: engineTypesResponseSchema, ...problems() },
      },
    },
    async () => ({ engines: engines.describe(), engine_types: [...engines.types] }),
  );
}
