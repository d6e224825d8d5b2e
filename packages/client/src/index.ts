export type {
  Answer,
  AuthSession,
  CommandAccepted,
  CommandResult,
  EngineTypeInfo,
  ErrorCode,
  EventType,
  FileInfo,
  History,
  Info,
  InputRequest,
  Json,
  JsonObject,
  LinkedEngine,
  Message,
  MessagePart,
  Run,
  SessionDetail,
  SessionEvent,
  SessionForked,
  SessionList,
  SessionSummary,
  Usage,
} from '@llmgine/protocol/wire';
export type { AudioSource } from './audio.ts';
export type { AudioOptions, AudioSent } from './audio-upload.ts';
export { type ClientOptions, LlmgineClient } from './client.ts';
export type { ConnectionTimes } from './connection/connection.ts';
export {
  type CloseReason,
  SESSION_STATES,
  type SessionState,
  type WebSocketConstructor,
  type WebSocketLike,
} from './connection/types.ts';
export type { TokenSource } from './credentials.ts';
export {
  CLIENT_ERRORS,
  type ClientErrorCode,
  LlmgineError,
  type LlmgineErrorCode,
  type LlmgineErrorDetails,
} from './errors.ts';
export type { RawFrame } from './frame-tap.ts';
export type { Signals } from './listeners.ts';
export type { ReportError } from './report.ts';
export type { Admin, AdminKeys } from './rest/admin.ts';
export type { Auth } from './rest/auth.ts';
export type { Files } from './rest/files.ts';
export type { Requests } from './rest/requests.ts';
export type { RunCommandOptions, Runs } from './rest/runs.ts';
export type { CallOptions, ChangeOptions, PageOptions, Sessions } from './rest/sessions.ts';
export type { Query, RequestOptions } from './rest/transport.ts';
export type {
  ApiKey,
  AuditEntry,
  CommandPending,
  EngineDetail,
  EngineTypes,
  EventPage,
  IssuedApiKey,
  ListSessionsOptions,
  MessagePage,
  NewKey,
  RequestPage,
  RunCancelled,
  RunPage,
  SessionCreated,
} from './rest/types.ts';
export { RunHandle } from './run.ts';
export type { FeedBounds } from './run-feed.ts';
export {
  type Attachment,
  type CommandOptions,
  type PromptOptions,
  type SendOptions,
  Session,
  type SessionOptions,
  type WaitOptions,
} from './session.ts';
export type { ClientTools, ToolCall, ToolHandler } from './tools.ts';
export type { AnyMessages, EventOf, MessageMap } from './typed.ts';
export {
  type SessionLike,
  SessionView,
  type SessionViewOptions,
  type ToolCallStatus,
  type ViewEngine,
  type ViewMessage,
  type ViewRequest,
  type ViewRun,
  type ViewSnapshot,
  type ViewStep,
  type ViewToolCall,
} from './view/index.ts';
