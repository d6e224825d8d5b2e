import type { Json } from '@llmgine/protocol';
import type { z } from 'zod';

export interface ToolContext {
  readonly sessionId: string;
  readonly runId: string;
  readonly toolCallId: string;
  readonly principal: { readonly id: string; readonly tenantId: string };
  /** Aborts when the run ends or the tool's time is up. A tool MUST stop its work then. */
  readonly signal: AbortSignal;
  /** Tells the people who watch the session what the tool is doing. */
  progress(text: string): void;
}

export interface ToolDefinition<Schema extends z.ZodType = z.ZodType> {
  /** `[A-Za-z0-9_-]{1,64}`, as the providers want it. */
  readonly name: string;
  /** What the model reads. */
  readonly description: string;
  /** Arguments are validated by it before `execute`; failures go back to the model. */
  readonly parameters: Schema;
  /** Default 30 000. */
  readonly timeoutMs?: number;
  /** The result goes to the model as JSON; an error that is thrown goes to it as text. */
  execute(args: z.output<Schema>, context: ToolContext): Json | Promise<Json>;
}
