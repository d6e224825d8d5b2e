/** What this project adds to the server. */
import { EngineConfiguration, ExtensibleAPIFactory } from '@llmgine/api';
import { supportEngine } from './engine.ts';
import { cancelTool, orderTool } from './tool.ts';

export function createFactory(): ExtensibleAPIFactory {
  return new ExtensibleAPIFactory(new EngineConfiguration({ engineName: 'SupportEngine' }))
    .registerEngine(supportEngine)
    .registerTool(orderTool)
    .registerTool(cancelTool);
}
