import * as client from '@llmgine/client';
import { expect, test } from 'vitest';

test('the public surface is this list', () => {
  expect(Object.keys(client).sort()).toEqual([
    'CLIENT_ERRORS',
    'LlmgineClient',
    'LlmgineError',
    'RunHandle',
    'SESSION_STATES',
    'Session',
    'SessionView',
  ]);
});
