export { SessionView, type SessionViewOptions } from './session-view.ts';
export type {
  SessionLike,
  ToolCallStatus,
  ViewEngine,
  ViewMessage,
  ViewRequest,
  ViewRun,
  ViewSnapshot,
  ViewStep,
  ViewToolCall,
} from './types.ts';
