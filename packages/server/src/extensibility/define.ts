import type { Json, JsonObject, PromptParameters } from '@llmgine/protocol';
import type { z } from 'zod';
import type { EngineCommand, EngineContext, EngineDefinition, EngineServices } from '../engines/types.ts';
import type { ToolDefinition } from '../tools/types.ts';
import { assertSchema } from '../validation/json-schema.ts';
import { assertDescribable, assertFunction, assertObjectSchema } from './check.ts';

/** What timers of Node can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

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
 * A tool that models may call, typed by the schema of its parameters. It has one who executes it: `execute` of its own, a
 * client of the session (`client`), or a person who fills in a form (`form`). Throws a `TypeError` when a part of it is
 * missing or wrong, or when JSON Schema, which is what models read, cannot say that schema and there is no `jsonSchema`.
 */
export function defineTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): ToolDefinition<Schema> {
  const { name, description, parameters, jsonSchema, result } = tool;
  const what = `tool ${JSON.stringify(name)}`;
  if (typeof description !== 'string') throw new TypeError(`The description of ${what} must be a text`);
  assertObjectSchema(`The parameters of ${what}`, parameters, jsonSchema ? 'any' : 'throw');
  if (jsonSchema) assertToolSchema(what, jsonSchema);
  assertExecution(what, tool as ToolDefinition);
  assertChoices(what, tool as ToolDefinition);
  if (result) assertDescribable(`The result of ${what}`, result);
  return Object.freeze({ ...tool });
}

/** Models read it as the schema of an object. */
function assertToolSchema(what: string, schema: JsonObject): void {
  if (schema.type !== 'object') throw new TypeError(`"jsonSchema" of ${what} must have the type "object"`);
  try {
    assertSchema(schema);
  } catch (error) {
    throw new TypeError(`"jsonSchema" of ${what}: ${(error as Error).message}`, { cause: error });
  }
}

function assertExecution(what: string, { client, form, execute, result }: ToolDefinition): void {
  if (client && execute)
    throw new TypeError(`${capital(what)} is executed by a client, so it has no "execute"`);
  if (form && execute) throw new TypeError(`${capital(what)} is a form for a person, so it has no "execute"`);
  if (form && client) throw new TypeError(`${capital(what)} is a form for a person, so it is not "client"`);
  if (form) assertFunction(`"form" of ${what}`, form);
  else if (!client) assertFunction(`"execute" of ${what}`, execute);
  if (result && !client)
    throw new TypeError(`"result" of ${what} is for what a client answers, and it has none`);
}

/** A wrong one would be one that has no effect, or another than it says. */
function assertChoices(what: string, tool: ToolDefinition): void {
  for (const choice of ['client', 'optIn', 'idempotent'] as const) {
    const value: unknown = tool[choice];
    if (value !== undefined && typeof value !== 'boolean') {
      throw new TypeError(`"${choice}" of ${what} must be true or false`);
    }
  }
  const { approval, timeoutMs } = tool;
  if (approval !== undefined && typeof approval !== 'boolean' && typeof approval !== 'function') {
    throw new TypeError(`"approval" of ${what} must be true, false, or a function that decides`);
  }
  if (timeoutMs === undefined) return;
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    throw new TypeError(`"timeoutMs" of ${what} must be a number of milliseconds`);
  }
  if (!tool.client && !tool.form && timeoutMs > MAX_TIMEOUT_MS) {
    throw new TypeError(`"timeoutMs" of ${what} may be ${MAX_TIMEOUT_MS} at most`);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
