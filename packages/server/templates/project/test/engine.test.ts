import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand, scriptedModel, testApp } from '@llmgine/api/testing';
import { createFactory } from '../src/application.ts';

test('the engine answers in the tone that was chosen', async () => {
  const model = scriptedModel(['It is on its way.']);
  await using app = await testApp({ apiFactory: createFactory(), models: [model] });

  const { status, result } = await runCommand(app, {
    engine: 'SupportEngine',
    engineConfig: { tone: 'brief' },
    prompt: 'Where is my lamp?',
  });

  assert.equal(status, 'completed');
  assert.match(JSON.stringify(result), /on its way/);
  assert.match(model.requests[0]?.system ?? '', /Be brief/);
});
