import { z } from 'zod';
import type { Services } from '../../services.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

export function registerMetrics(app: HttpApp, { metrics }: Services): void {
  app.get(
    '/metrics',
    {
      config: { permission: 'metrics:read' },
      schema: {
        operationId: 'getMetrics',
        tags: ['meta'],
        summary: 'Prometheus metrics',
        response: {
          200: { description: 'Prometheus text', content: { 'text/plain': { schema: z.string() } } },
          ...problems(),
        },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
