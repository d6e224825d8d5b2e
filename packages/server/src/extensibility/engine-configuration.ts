import type { JsonObject } from '@llmgine/protocol';

export interface EngineConfigurationOptions {
  /** What the extension calls itself: shown in `/api/info`. */
  readonly engineName: string;
  /** Given to custom handlers, and to nobody else. */
  readonly customConfig?: Readonly<JsonObject>;
}

/** What an extension is called, and the settings of its handlers. */
export class EngineConfiguration {
  readonly engineName: string;
  readonly customConfig: Readonly<JsonObject>;

  constructor(options: EngineConfigurationOptions) {
    this.engineName = options.engineName;
    this.customConfig = Object.freeze({ ...options.customConfig });
  }
}
