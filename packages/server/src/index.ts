/** The public face of `@llmgine/api`. */
export {
  type Answer,
  ApiError,
  type CommandResult,
  ERRORS,
  type ErrorCode,
  type InputRequest,
  type Json,
  type JsonObject,
  type Message,
  type MessagePart,
  messageText,
} from '@llmgine/protocol';
export { type App, type AppDescription, type AppOptions, createApp } from './app.ts';
export {
  APIConfig,
  type APIConfigOptions,
  ConfigError,
  type ConfigInput,
  type ConfigValues,
} from './config.ts';
export { type ModelConfig, modelConfigSchema, requestOf } from './engines/model-config.ts';
export { finishedMessages, type ModelStep, promptResult, streamModelStep } from './engines/model-step.ts';
export { type SayOptions, say } from './engines/say.ts';
export type {
  Engine,
  EngineCommand,
  EngineContext,
  EngineDefinition,
  EngineEvent,
  EngineServices,
  InputAnswer,
  InputQuestion,
  RecordedEvent,
  SessionFile,
} from './engines/types.ts';
export type {
  AuthenticatedCaller,
  Authentication,
  AuthenticationRequest,
} from './extensibility/authentication.ts';
export type { ApplicationCallbacks } from './extensibility/callbacks.ts';
export {
  type CommandContext,
  defineEngine,
  defineTool,
  type EngineCommands,
  type TypedEngine,
  type TypedEngineDefinition,
} from './extensibility/define.ts';
export {
  EngineConfiguration,
  type EngineConfigurationOptions,
} from './extensibility/engine-configuration.ts';
export { ExtensibleAPIFactory } from './extensibility/factory.ts';
export {
  BaseHandler,
  type HandlerContext,
  type HandlerResult,
  type MessageFunction,
  type Reply,
} from './extensibility/handler.ts';
export {
  defineMessage,
  type MessageClass,
  type MessageData,
  type MessageModel,
  WSMessage,
  WSResponse,
} from './extensibility/messages.ts';
export type { CustomRouter, RouterContext } from './extensibility/router.ts';
export type { RunOptions, SessionHandle } from './extensibility/session-handle.ts';
export type { ClientConnection } from './handlers/types.ts';
export type { HttpApp } from './http/types.ts';
export type {
  AudioInput,
  Transcription,
  TranscriptionModel,
  TranscriptionRequest,
  TranscriptSegment,
} from './models/transcription.ts';
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
export type { Permission, Role } from './security/permissions.ts';
export type { Principal } from './security/principal.ts';
export type { Services } from './services.ts';
export { StorageInUseError } from './storage/sqlite/lock.ts';
export type { EngineRow, SessionKey, SessionRow, Storage } from './storage/types.ts';
export type { ApprovalContext, ApprovalRule, ToolContext, ToolDefinition } from './tools/types.ts';
export { SERVER_VERSION } from './version.ts';
export type { ConnectionInfo, Messaging, Notification } from './ws/messaging.ts';
