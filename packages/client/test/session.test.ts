import { expect, test } from 'vitest';
import { startApp } from '../../../tests/helpers/app.ts';
import { testClient } from './helpers.ts';

test('a prompt streams its events from the first to run_finished, and resolves with its result and text', async () => {
  const { url } = await startApp();
  const client = testClient(url);
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);
  const run = session.prompt('Hello');
  const types: string[] = [];
  let text = '';
  for await (const event of run) {
    types.push(event.event_type);
    if (event.event_type === 'text_delta') text += event.payload.text;
  }
  expect(types.at(0)).toBe('run_queued');
  expect(types.at(-1)).toBe('run_finished');
  expect(await run.result).toMatchObject({ run_id: run.runId, status: 'completed' });
  expect(await run.text).toBe(text);
  expect(text).not.toBe('');
});

test('a session links, tells its status, its history and who it is, and unlinks', async () => {
  const { url } = await startApp();
  const client = testClient(url);
  const { session_id } = await client.sessions.create();
  const session = client.session(session_id);
  const { engine_id } = await session.link('ToolChatEngine');
  expect(await session.status()).toMatchObject({ engine_id, engine_status: 'running' });
  await session.prompt('Hello').result;
  const history = await session.history();
  expect(history.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(await session.unlink()).toEqual({ engine_id });
  expect(session.welcome?.session_id).toBe(session_id);
});
