import { createApp, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { LlmgineClient } from '@llmgine/client';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { converse } from './conversation.ts';
import { nameOf } from './errors.ts';
import { approveEverything } from './requests.ts';
import { openWithTools } from './tools.ts';

async function start(apiFactory = new ExtensibleAPIFactory()): Promise<string> {
  const app = await createApp({
    config: { host: '127.0.0.1', port: 0, databaseUrl: ':memory:', model: 'demo:demo', logLevel: 'silent' },
    apiFactory,
  });
  onTestFinished(() => app.close());
  return (await app.listen()).url;
}

test('the conversation of the guide streams its answer', async () => {
  let seen = '';
  const status = await converse(await start(), (text) => {
    seen += text;
  });
  expect(status).toBe('completed');
  expect(seen).toMatch(/^.*\[calculate\].*42/s);
});

test('what the guide approves is executed', async () => {
  const client = new LlmgineClient({ url: await start() });
  const { session_id } = await client.sessions.create({
    engine_type: 'ToolChatEngine',
    engine_config: { approval: ['calculate'] },
  });
  const session = client.session(session_id);
  onTestFinished(() => session.close());
  approveEverything(session);
  expect(await session.prompt('What is 6 * 7?').text).toContain('42');
});

test('the tool of the guide runs in the client', async () => {
  const where = defineTool({
    name: 'where_am_i',
    description: 'Tells where the person is. Call it for: where am I',
    parameters: z.object({}),
    client: true,
  });
  const url = await start(new ExtensibleAPIFactory().registerTool(where));
  const { session_id } = await new LlmgineClient({ url }).sessions.create({ engine_type: 'ToolChatEngine' });
  const session = openWithTools(url, session_id);
  onTestFinished(() => session.close());
  const run = session.prompt('Use where_am_i');
  const results: unknown[] = [];
  for await (const event of run) if (event.event_type === 'tool_result') results.push(event.payload.result);
  expect(results).toEqual([{ city: 'Graz' }]);
});

test('a session that is not there is told by its code', async () => {
  const client = new LlmgineClient({ url: await start() });
  expect(await nameOf(client, crypto.randomUUID())).toBe('gone');
});
