import type { Json, PromptParameters } from '@llmgine/protocol';
import type { z } from 'zod';
import type { EngineCommand, EngineContext, EngineDefinition, EngineServices } from '../engines/types.ts';
import type { ToolDefinition } from '../tools/types.ts';

export type EngineCommands = Readonly<Record<string, EngineCommand>>;

type ParametersOf<Commands extends EngineCommands, Name> = Name extends keyof Commands
  ? z.output<Commands[Name]['parameters']>
  : PromptParameters;

/** A run's context: `context.command` tells the commands apart, and `context.parameters` has the type of its schema. */
export type CommandContext<Commands extends EngineCommands> = {
  [Name in (keyof Commands & string) | 'prompt']: EngineContext & {
    readonly command: Name;
    readonly parameters: ParametersOf<Commands, Name>;
  };
}[(keyof Commands & string) | 'prompt'];

/** An engine type whose configuration and commands are typed by their schemas. See `EngineDefinition`. */
export interface TypedEngineDefinition<Config extends z.ZodType, Commands extends EngineCommands>
  extends Omit<EngineDefinition<Config>, 'commands' | 'create'> {
  readonly commands?: Commands;
  create(
    config: z.output<Config>,
    services: EngineServices,
  ): TypedEngine<Commands> | Promise<TypedEngine<Commands>>;
}

export interface TypedEngine<Commands extends EngineCommands> {
  run(context: CommandContext<Commands>): Promise<Json>;
}

/**
 * An engine type of your own.
 *
 * @example
 * const echoEngine = defineEngine({
 *   type: 'EchoEngine',
 *   description: 'Says what it hears',
 *   config: z.object({ loud: z.boolean().default(false) }),
 *   create: (config) => ({
 *     async run(context) {
 *       const { prompt } = context.parameters;
 *       const message = await say(context, config.loud ? prompt.toUpperCase() : prompt);
 *       return { text: messageText(message) };
 *     },
 *   }),
 * });
 */
export function defineEngine<
  Config extends z.ZodType,
  const Commands extends EngineCommands = Record<never, never>,
>(definition: TypedEngineDefinition<Config, Commands>): EngineDefinition<Config> {
  return Object.freeze({ ...definition }) as EngineDefinition<Config>;
}

/** A tool that models may call, typed by the schema of its parameters. */
export function defineTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): ToolDefinition<Schema> {
  return Object.freeze({ ...tool });
}
