/** What the server and the client talk about; types only. */
export type {
  AnswerOutcome,
  EngineTypeInfo,
  Info,
  InputRequest,
  JsonObject,
  MessagePart,
  PromptParameters,
  Run,
  SessionDetail,
  SessionEvent,
  SessionStatus,
  SessionSummary,
} from '@llmgine/protocol/wire';
