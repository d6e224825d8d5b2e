/** The public face of `@llmgine/api`. */
export { ApiError, ERRORS, type ErrorCode, type JsonObject, type Message } from '@llmgine/protocol';
export { App, type AppDescription, type AppOptions, createApp } from './app.ts';
export { APIConfig, ConfigError, type ConfigInput, type ConfigValues } from './config.ts';
export { type ModelConfig, modelConfigSchema, requestOf } from './engines/model-config.ts';
export { type ModelStep, promptResult, streamModelStep } from './engines/model-step.ts';
export type {
  Engine,
  EngineCommand,
  EngineContext,
  EngineDefinition,
  EngineEvent,
  EngineServices,
} from './engines/types.ts';
export { defineEngine, defineTool } from './extensibility/define.ts';
export {
  EngineConfiguration,
  type EngineConfigurationOptions,
} from './extensibility/engine-configuration.ts';
export {
  type ApplicationCallbacks,
  type CustomRouter,
  ExtensibleAPIFactory,
  type RouterContext,
} from './extensibility/factory.ts';
export {
  BaseHandler,
  type HandlerContext,
  type MessageFunction,
  type RequestOf,
} from './extensibility/handler.ts';
export {
  defineMessage,
  type MessageData,
  type MessageDefinition,
  WSMessage,
  WSResponse,
} from './extensibility/messages.ts';
export type { ClientConnection } from './handlers/types.ts';
export type {
  FinishReason,
  Model,
  ModelFinish,
  ModelProvider,
  ModelRequest,
  ModelSink,
  ModelToolCall,
  ToolSpec,
} from './models/types.ts';
export type { Principal } from './security/principal.ts';
export type { Services } from './services.ts';
export { StorageInUseError } from './storage/sqlite/lock.ts';
export type { Storage } from './storage/types.ts';
export type { ToolContext, ToolDefinition } from './tools/types.ts';
export { SERVER_VERSION } from './version.ts';
export type { ConnectionInfo, Messaging, Notification } from './ws/messaging.ts';
