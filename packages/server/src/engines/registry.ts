import { ApiError, type EngineTypeInfo, promptParametersSchema } from '@llmgine/protocol';
import { jsonSchemaOf } from '../validation.ts';
import type { EngineCommand, EngineDefinition } from './types.ts';

const PROMPT: EngineCommand = {
  description: 'Says something to the engine and streams its answer',
  parameters: promptParametersSchema,
};

/** The engine types of one application. */
export class EngineRegistry {
  readonly #definitions = new Map<string, EngineDefinition>();

  /** Throws when the type is taken. */
  register(definition: EngineDefinition): void {
    if (this.#definitions.has(definition.type)) {
      throw new TypeError(`There is an engine type ${JSON.stringify(definition.type)} already`);
    }
    this.#definitions.set(definition.type, definition);
  }

  get types(): string[] {
    return [...this.#definitions.keys()];
  }

  find(type: string): EngineDefinition | undefined {
    return this.#definitions.get(type);
  }

  /** Throws `INVALID_ENGINE_TYPE`. */
  get(type: string): EngineDefinition {
    const definition = this.find(type);
    if (!definition) {
      throw new ApiError(
        'INVALID_ENGINE_TYPE',
        `There is no engine type "${type}"; there are: ${this.types.join(', ')}`,
      );
    }
    return definition;
  }

  /** Throws `UNKNOWN_COMMAND`. */
  command(type: string, name: string): EngineCommand {
    const commands = commandsOf(this.get(type));
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) {
      throw new ApiError(
        'UNKNOWN_COMMAND',
        `${type} does not know the command "${name}"; it knows: ${Object.keys(commands).join(', ')}`,
      );
    }
    return command;
  }

  describe(): EngineTypeInfo[] {
    return [...this.#definitions.values()].map((definition) => ({
      engine_type: definition.type,
      description: definition.description,
      commands: Object.entries(commandsOf(definition)).map(([command, { description, parameters }]) => ({
        command,
        description,
        parameters: jsonSchemaOf(parameters, 'any'),
      })),
      config: jsonSchemaOf(definition.config, 'any'),
    }));
  }
}

function commandsOf(definition: EngineDefinition): Readonly<Record<string, EngineCommand>> {
  return { prompt: PROMPT, ...definition.commands };
}
