import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand, scriptedModel, testApp } from '@llmgine/api/testing';
import { createFactory } from '../src/application.ts';

test('the model finds an order with the tool', async () => {
  const model = scriptedModel([
    { toolCalls: [{ name: 'find_order', arguments: { order: 'o-1' } }] },
    'Your lamp is on its way.',
  ]);
  await using app = await testApp({ apiFactory: createFactory(), models: [model] });

  const { status, events } = await runCommand(app, {
    engine: 'ToolChatEngine',
    prompt: 'Where is order o-1?',
  });

  assert.equal(status, 'completed');
  assert.match(JSON.stringify(events), /"status":"on its way"/);
});

test('nothing is cancelled when a person says no', async () => {
  const model = scriptedModel([
    { toolCalls: [{ name: 'cancel_order', arguments: { order: 'o-1' } }] },
    'It was not cancelled.',
  ]);
  await using app = await testApp({ apiFactory: createFactory(), models: [model] });

  const { events } = await runCommand(app, {
    engine: 'ToolChatEngine',
    prompt: 'Cancel order o-1',
    answer: () => ({ outcome: 'denied', reason: 'it has left' }),
  });

  assert.ok(!JSON.stringify(events).includes('"cancelled":"o-1"'));
});
