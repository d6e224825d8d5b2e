/** The part of an application that answers: its models, tools and engines. */
import type { Logger } from 'pino';
import type { APIConfig } from '../config.ts';
import { EngineRegistry } from '../engines/registry.ts';
import { EngineService, type EngineServiceOptions } from '../engines/service.ts';
import { singlePassEngine } from '../engines/single-pass/engine.ts';
import { toolChatEngine } from '../engines/tool-chat/engine.ts';
import type { EngineDefinition } from '../engines/types.ts';
import { voiceProcessingEngine } from '../engines/voice/engine.ts';
import type { ExtensibleAPIFactory } from '../extensibility/factory.ts';
import { checkDefaultModel, configuredModel } from '../models/default-model.ts';
import { findLocalModel } from '../models/local-model.ts';
import { type Prices, pricedModel, readPrices } from '../models/pricing.ts';
import { createModels, type Models } from '../models/registry.ts';
import { checkTranscriptionModel } from '../models/transcription-provider.ts';
import { createBuiltinTools } from '../tools/builtin.ts';
import { readMcpServers } from '../tools/mcp/read-servers.ts';
import { McpServers } from '../tools/mcp/servers.ts';
import { ToolRegistry } from '../tools/registry.ts';

const CORE_ENGINES = [singlePassEngine, toolChatEngine, voiceProcessingEngine];

export interface EngineParts {
  readonly config: APIConfig;
  readonly logger: Logger;
  readonly factory: ExtensibleAPIFactory;
  readonly append: EngineServiceOptions['append'];
  readonly report: EngineServiceOptions['report'];
  /** Takes how to close what is opened here. */
  readonly opened: AsyncDisposableStack;
}

export interface Engines {
  readonly engines: EngineService;
  readonly tools: ToolRegistry;
  readonly mcp: McpServers;
  readonly models: Models;
  readonly prices: Prices;
}

/** Throws `ConfigError`, and a `TypeError` for names that are taken. */
export async function createEngines(parts: EngineParts): Promise<Engines> {
  const { config, logger, factory, append, report, opened } = parts;
  const tools = new ToolRegistry();
  const builtin = createBuiltinTools();
  opened.defer(() => builtin.close());
  for (const tool of [...builtin.tools, ...factory.tools]) tools.register(tool);
  const mcp = new McpServers({ list: readMcpServers(config), registry: tools, logger });
  opened.defer(() => mcp.close());

  const prices = readPrices(config);
  const localModel = configuredModel(config) === undefined ? await findLocalModel(config) : undefined;
  const models = createModels({ config, providers: factory.modelProviders, localModel });
  opened.defer(() => models.close());
  checkDefaultModel(models, config);
  checkTranscriptionModel(models, config);

  const registry = new EngineRegistry();
  const definitions = [...CORE_ENGINES, ...factory.engines] as unknown as EngineDefinition[];
  for (const definition of definitions) registry.register(definition);
  const services = {
    model: (name?: string) => pricedModel(models.resolve(name), prices),
    transcriptionModel: (name?: string) => models.resolveTranscription(name, prices),
    tools,
    settings: config.custom,
  };
  return { engines: new EngineService({ registry, services, append, report }), tools, mcp, models, prices };
}
