import * as testing from '@llmgine/api/testing';
import { expect, test } from 'vitest';

test('the public surface of the testing kit is this list: a change of it is a decision', () => {
  expect(Object.keys(testing).sort()).toEqual([
    'Gate',
    'recordModel',
    'replayModel',
    'runCommand',
    'scriptedModel',
    'testApp',
  ]);
});
