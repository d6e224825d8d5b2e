import type { Json, PromptParameters } from '@llmgine/protocol';
import type { z } from 'zod';
import type { EngineCommand, EngineContext, EngineDefinition, EngineServices } from '../engines/types.ts';
import type { ToolDefinition } from '../tools/types.ts';
import { assertDescribable, assertFunction, assertObjectSchema } from './check.ts';

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
 * An engine type of your own. Throws a `TypeError` when a part of it is missing or no Zod 4 schema of an object.
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
  const { type, config, commands = {} } = definition;
  assertObjectSchema(`The config of engine ${JSON.stringify(type)}`, config);
  for (const [name, { parameters }] of Object.entries<EngineCommand>(commands)) {
    assertObjectSchema(
      `The parameters of ${JSON.stringify(name)} of engine ${JSON.stringify(type)}`,
      parameters,
    );
  }
  assertFunction(`"create" of engine ${JSON.stringify(type)}`, definition.create);
  return Object.freeze({ ...definition }) as EngineDefinition<Config>;
}

/**
 * A tool that models may call, typed by the schema of its parameters. Throws a `TypeError` when JSON Schema, which is what
 * models read, cannot say that schema.
 */
export function defineTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): ToolDefinition<Schema> {
  const { name, parameters, execute, client, result } = tool;
  assertObjectSchema(`The parameters of tool ${JSON.stringify(name)}`, parameters, 'throw');
  if (!client) assertFunction(`"execute" of tool ${JSON.stringify(name)}`, execute);
  else if (execute)
    throw new TypeError(`Tool ${JSON.stringify(name)} is executed by a client, so it has no "execute"`);
  if (result) assertDescribable(`The result of tool ${JSON.stringify(name)}`, result);
  return Object.freeze({ ...tool });
}
