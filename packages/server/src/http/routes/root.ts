import { rootSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

export function registerRoot(app: HttpApp, { config }: Services): void {
  app.get(
    '/',
    {
      config: { permission: 'info:read' },
      schema: {
        operationId: 'getRoot',
        tags: ['meta'],
        summary: 'What this is and where to go on',
        response: { 200: rootSchema, ...problems() },
      },
    },
    async () => ({
      name: config.values.title,
      version: config.values.version,
      status: 'running' as const,
      docs: '/docs',
      openapi: '/openapi.json',
      asyncapi: '/asyncapi.json',
      health: '/health',
      ...(config.values.console ? { console: '/console/' } : {}),
    }),
  );
}
