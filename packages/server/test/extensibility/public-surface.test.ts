import * as api from '@llmgine/api';
import { expect, test } from 'vitest';

test('the public surface is this list: a change of it is a decision', () => {
  expect(Object.keys(api).sort()).toEqual([
    'APIConfig',
    'ApiError',
    'BaseHandler',
    'ConfigError',
    'ERRORS',
    'EngineConfiguration',
    'ExtensibleAPIFactory',
    'SERVER_VERSION',
    'StorageInUseError',
    'WSMessage',
    'WSResponse',
    'createApp',
    'defineEngine',
    'defineMessage',
    'defineTool',
    'finishedMessages',
    'messageText',
    'modelConfigSchema',
    'promptResult',
    'requestOf',
    'say',
    'streamModelStep',
  ]);
});
