import type { ToolSpec } from '../../models/types.ts';
import type { ToolRegistry } from '../../tools/registry.ts';
import type { ToolDefinition } from '../../tools/types.ts';
import type { ToolChatConfig } from './config.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
/** Calls of one answer that are executed at a time. */
const MAX_PARALLEL = 16;

/** The tools that the model of one engine has, and how they may be used. */
export class Toolbox {
  readonly #registry: ToolRegistry;
  readonly #config: ToolChatConfig;

  /** Throws `VALIDATION_ERROR` when the configuration names a tool that there is not. */
  constructor(registry: ToolRegistry, config: ToolChatConfig) {
    this.#registry = registry;
    this.#config = config;
    registry.specs(config.tools);
    registry.specs(config.approval?.filter((name) => name !== '*'));
  }

  /** What the model is told of them; tools come and go. */
  specs(): readonly ToolSpec[] {
    return this.#registry.specs(this.#config.tools);
  }

  get names(): readonly string[] {
    return this.specs().map(({ name }) => name);
  }

  /** Only what the model was offered; of tools that are not connected now, one that says so. */
  find(name: string): ToolDefinition | undefined {
    const isOffered = this.names.includes(name) || !this.#registry.names.includes(name);
    return isOffered ? this.#registry.get(name) : undefined;
  }

  /** Whether the configuration wants somebody to approve the calls of this tool. */
  wantsApproval({ name, form }: ToolDefinition): boolean {
    // Its call is a question already.
    if (form) return false;
    return (this.#config.approval ?? []).some(
      (pattern) =>
        pattern === '*' ||
        pattern === name ||
        this.#registry.specs([pattern]).some((spec) => spec.name === name),
    );
  }

  timeoutMs({ timeoutMs = DEFAULT_TIMEOUT_MS }: ToolDefinition): number {
    const { tool_timeout: seconds } = this.#config;
    return seconds === undefined ? timeoutMs : Math.ceil(seconds * 1000);
  }

  get parallel(): number {
    return this.#config.parallel_tool_calls === false ? 1 : MAX_PARALLEL;
  }
}
