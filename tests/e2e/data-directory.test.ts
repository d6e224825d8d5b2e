import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { runServer, startServer } from '../helpers/child-server.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

test('a second process on the same data directory stops with one readable line, and the first notices nothing', async () => {
  const models = await startTestModels();
  const gate = models.gate();
  models.script({ steps: [{ text: 'Before, ' }, { gate }, { text: 'after.' }] });
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  };
  const first = await startServer(env);
  const { body } = await call('POST', `${first.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(first.wsUrl(body.session_id));
  const result = socket.run('prompt', { prompt: 'Hi' });
  await gate.reached;

  const second = await runServer(env);

  expect(second.code).toBe(1);
  expect(second.output).toMatch(
    /^llmgine: The data in \S+ is in use by another LLMgine process \(pid \d+\); .+$/,
  );
  expect(second.output).toContain(`pid ${first.child.pid}`);
  // The run of the first was not taken for one that a dead process left.
  gate.release();
  expect(await result).toMatchObject({ status: 'completed', result: { text: 'Before, after.' } });
  expect(await call('GET', `${first.url}/health/ready`)).toMatchObject({ status: 200 });
});

test('two apps of one process do not share a directory either, one after the other does', async () => {
  const config = { dataDir: await tempDir(), databaseUrl: undefined };
  const first = await startApp({ config });
  await expect(startApp({ config })).rejects.toThrow('in use by another app of this process');
  await first.app.close();
  expect((await startApp({ config })).url).toMatch(/^http/);
});

test('what is no database stops the start with one line', async () => {
  const dir = await tempDir();
  await writeFile(join(dir, 'llmgine.db'), 'this is no database, but a text of some length'.repeat(100));
  const { code, output } = await runServer({ LLMGINE_API_DATA_DIR: dir });
  expect(code).toBe(1);
  expect(output).toMatch(/^llmgine: The data in \S+ cannot be opened: [^\n]+$/);
});
