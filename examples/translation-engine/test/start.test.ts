/** `npm start`: the server as a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { connect, createSession } from './client.ts';

test('it serves translations and stops when it is told to', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'translation-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const [exec, node, ...args] = manifest.scripts.start.split(' ');
  expect([exec, node]).toEqual(['exec', 'node']);
  const server = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '..'),
    env: {
      LLMGINE_API_HOST: '127.0.0.1',
      LLMGINE_API_PORT: '0',
      LLMGINE_API_MODEL: 'demo:fast',
      LLMGINE_API_DATA_DIR: dataDir,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  let url = '';
  for await (const line of createInterface({ input: server.stdout })) {
    url = /^Translations on (\S+)/.exec(line)?.[1] ?? '';
    if (url) break;
  }

  const client = await connect(url, await createSession(url));
  await client.request('set_language', { target_language: 'French' });
  const { data } = await client.request('translate_request', { text: 'Good morning' });
  server.stdout.resume();
  server.kill('SIGTERM');
  const [code] = await once(server, 'close');

  expect(data.translation).toMatch(/^\[French\] Good morning/);
  expect(code).toBe(0);
});
