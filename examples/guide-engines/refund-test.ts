import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate, runCommand, scriptedModel, testApp } from '@llmgine/api/testing';
import { createShop } from './shop.ts';

test('a large refund waits for a person, and the model hears the decision', async () => {
  const model = scriptedModel([
    { reasoning: 'Fifty euros.', toolCalls: [{ name: 'refund', arguments: { order: 'o-1', euros: 50 } }] },
    'I am sorry, that was refused.',
  ]);
  await using app = await testApp({ apiFactory: createShop(), models: [model] });

  const { result, events } = await runCommand(app, {
    engine: 'ToolChatEngine',
    prompt: 'I want my money back',
    answer: ({ kind, tool_name: tool }) => {
      assert.deepEqual([kind, tool], ['approval', 'refund']);
      return { outcome: 'denied', reason: 'the lamp was used' };
    },
  });

  assert.match(JSON.stringify(result), /refused/);
  assert.match(JSON.stringify(model.requests[1]?.messages), /the lamp was used/);
  assert.ok(events.some((event) => event.event_type === 'tool_result' && event.payload.is_error));
  assert.equal(model.left, 0);
});

test('a letter is signed, and streams while it is written', async () => {
  const gate = new Gate();
  const model = scriptedModel([{ text: ['Dear Ada, ', 'we are sorry.'], after: gate }]);
  await using app = await testApp({ apiFactory: createShop(), models: [model] });

  const letter = runCommand(app, {
    engine: 'LetterEngine',
    engineConfig: { signature: 'Bob' },
    command: 'letter',
    parameters: { order: 'o-1', about: 'it is late' },
  });
  // The model stands still here: the place to cancel, or to look at what is there already.
  await gate.reached;
  gate.open();

  assert.equal((await letter).status, 'completed');
  assert.match(model.requests[0]?.system ?? '', /Sign them: Bob/);
});
