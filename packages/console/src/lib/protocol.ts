/** What the server and the client talk about; types only. */
export type {
  AnswerOutcome,
  EngineTypeInfo,
  Info,
  InputRequest,
  JsonObject,
  MessagePart,
  Permission,
  PromptParameters,
  Role,
  Run,
  SessionDetail,
  SessionEvent,
  SessionStatus,
  SessionSummary,
} from '@llmgine/protocol/wire';
