import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordModel, replayModel, runCommand, testApp } from '@llmgine/api/testing';
import { createShop } from './shop.ts';

const FILE = 'recordings/order.jsonl';

/** `RECORD=1` asks the real model, once. After that, what it has said is said again, offline. */
const openai = () => (process.env.RECORD ? recordModel('openai', FILE) : replayModel(FILE, { speed: 0 }));

test('the real model finds the order before it answers', async () => {
  await using app = await testApp({
    apiFactory: createShop(),
    models: [openai()],
    config: { model: 'openai:gpt-5-mini' },
  });

  const { status, events } = await runCommand(app, {
    engine: 'ToolChatEngine',
    prompt: 'What was order o-1?',
  });

  const calls = events.filter((event) => event.event_type === 'tool_call');
  assert.deepEqual(
    calls.map(({ payload }) => payload.tool_name),
    ['find_order'],
  );
  assert.equal(status, 'completed');
});
