import type { Json, JsonObject } from '@llmgine/protocol';
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

/** What the decision whether somebody has to approve a call may look at. */
export type ApprovalContext = Pick<ToolContext, 'sessionId' | 'runId' | 'toolCallId' | 'principal'>;

/** Declared as a method, so that a tool with arguments of its own counts as a tool. */
export type ApprovalRule<Args> = {
  decide(args: Args, context: ApprovalContext): boolean | Promise<boolean>;
}['decide'];

export interface ToolDefinition<Schema extends z.ZodType = z.ZodType> {
  /** `[A-Za-z0-9_-]{1,64}`, as the providers want it. */
  readonly name: string;
  /** What the model reads. */
  readonly description: string;
  /** Arguments are validated by it before `execute`; failures go back to the model. */
  readonly parameters: Schema;
  /** What the model reads of the arguments, where that is not made from `parameters`. */
  readonly jsonSchema?: JsonObject;
  /** True: models have it only where an engine's configuration names it. Default false. */
  readonly optIn?: boolean;
  /** Default 30 000. Of a tool that a client executes, it is the time until the request expires, and has no default here. */
  readonly timeoutMs?: number;
  /**
   * True when executing a call twice is the same as once. After a crash a call that may have run is executed again only
   * then; otherwise the model is told that its outcome is unknown. Default false.
   */
  readonly idempotent?: boolean;
  /**
   * Whether somebody has to approve a call before it is executed, with exactly its arguments. A function that throws says
   * yes. Default: nobody has to.
   */
  readonly approval?: boolean | ApprovalRule<z.output<Schema>>;
  /** True for a tool that a client of the session executes: it claims the request, and answers it with the result. */
  readonly client?: boolean;
  /** Makes a tool that a person executes, by filling in a form: what was filled in is the result. Such a tool has no `execute`. */
  form?(args: z.output<Schema>): ToolForm;
  /** What the result of a client has to fit. Default: anything. */
  readonly result?: z.ZodType;
  /** Every tool has it, except those that a client or a person executes. The result goes to the model as JSON; an error that is thrown, as text. */
  execute?(args: z.output<Schema>, context: ToolContext): Json | Promise<Json>;
}

/** What a person is asked. */
export interface ToolForm {
  readonly prompt: string;
  /** What the answer has to fit, as a Zod schema or as JSON Schema (draft 2020-12). */
  readonly schema: z.ZodType | JsonObject;
}

/** A tool that the server executes itself. */
export type ServerTool<Schema extends z.ZodType = z.ZodType> = ToolDefinition<Schema> &
  Required<Pick<ToolDefinition<Schema>, 'execute'>>;
