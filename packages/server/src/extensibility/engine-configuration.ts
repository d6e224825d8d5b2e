import type { JsonObject } from '@llmgine/protocol';
import { frozenCopy } from '../config/frozen-copy.ts';

export interface EngineConfigurationOptions {
  /** What the extension calls itself: shown in `/api/info`. */
  readonly engineName: string;
  /** Given to custom handlers, and to nobody else. */
  readonly customConfig?: Readonly<JsonObject>;
}

/** What an extension is called, and the settings of its handlers. Frozen. */
export class EngineConfiguration {
  readonly engineName: string;
  readonly customConfig: Readonly<JsonObject>;

  constructor(options: EngineConfigurationOptions) {
    // For plain JavaScript; `options` may be missing altogether there.
    const { engineName, customConfig = {} } = options ?? {};
    if (typeof engineName !== 'string') {
      throw new TypeError(
        "An EngineConfiguration needs a name: new EngineConfiguration({ engineName: 'Mine' })",
      );
    }
    this.engineName = engineName;
    this.customConfig = frozenCopy(customConfig);
    Object.freeze(this);
  }
}
