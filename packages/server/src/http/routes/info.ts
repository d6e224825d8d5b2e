import { infoSchema, type JsonObject, PROTOCOL_VERSION } from '@llmgine/protocol';
import { z } from 'zod';
import { CAPABILITIES, limitsOf } from '../../handlers/capabilities.ts';
import type { Services } from '../../services.ts';
import { SERVER_VERSION } from '../../version.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

export function registerInfo(app: HttpApp, services: Services): void {
  const { config, engines, mcp, messages, models, tools } = services;
  app.get(
    '/api/info',
    {
      config: { permission: 'info:read' },
      schema: {
        operationId: 'getInfo',
        tags: ['meta'],
        summary: 'What this server can do',
        response: { 200: infoSchema, ...problems() },
      },
    },
    async () => ({
      title: config.values.title,
      version: config.values.version,
      server_version: SERVER_VERSION,
      protocol_version: PROTOCOL_VERSION,
      // As events call it: `provider:model`, also where the name of the provider is enough to configure it.
      model: models.resolve().id,
      model_providers: [...models.providers],
      engine_name: services.engineName,
      engine_types: [...engines.types],
      message_types: [...messages.types],
      custom_message_types: messages.custom.map(({ type, request, response }) => ({
        type,
        request: jsonSchema(request),
        response: response === null ? null : jsonSchema(response.schema),
      })),
      tools: [...tools.names],
      mcp_servers: mcp.status().map(({ name, status, tools: count }) => ({ name, status, tools: count })),
      capabilities: [...CAPABILITIES],
      limits: limitsOf(config.values),
    }),
  );
}

function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest as JsonObject;
}
