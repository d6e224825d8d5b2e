/** The public face of `@llmgine/api/testing`: for tests of engines, with whatever test runner. */
export { Gate } from './gate.ts';
export { type RecordingModel, recordModel } from './record-model.ts';
export { type ReplayOptions, replayModel } from './replay-model.ts';
export { type CommandOutcome, type RunCommandOptions, runCommand } from './run-command.ts';
export {
  type ScriptedAnswer,
  type ScriptedModel,
  type ScriptedRequest,
  type ScriptedToolCall,
  type ScriptedTurn,
  type ScriptedUsage,
  scriptedModel,
} from './scripted-model.ts';
export { type TestApp, type TestAppOptions, testApp } from './test-app.ts';
