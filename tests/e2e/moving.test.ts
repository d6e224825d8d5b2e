/** The loop of the guide that moves sessions from one storage to another. */
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { exportSession } from '../helpers/exports.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';

const KEY = 'bootstrap-key-of-a-test';
const CONFIG = { key: KEY, maxSessions: 1000 };
const AUTH = { authorization: `Bearer ${KEY}` };
const run = promisify(execFile);
const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;

/** The last script of the guide, for these servers, with small pages. */
async function script(from: string, to: string): Promise<string> {
  const guide = await readFile(new URL('../../docs/guide/forking.md', import.meta.url), 'utf8');
  const [last] = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].toReversed();
  return String(last?.[1])
    .replace(/^OLD=.*$/m, `OLD=${from} NEW=${to}`)
    .replace('limit=100', 'limit=2');
}

// What the guide needs besides the server; a machine without it has no such loop to run.
test.skipIf(!['bash', 'curl', 'jq', 'tac'].every(isThere))(
  'the loop of the guide moves all sessions from SQLite to Postgres, in their order, and once',
  async () => {
    const old = await startApp({ config: CONFIG });
    const { url: databaseUrl } = await testDatabase();
    const fresh = await startApp({ config: { ...CONFIG, databaseUrl } });
    const ids: string[] = [];
    for (let number = 0; number < 5; number++) {
      const body = { name: `S${number}`, engine_type: 'ToolChatEngine' };
      ids.push((await call('POST', `${old.url}/api/sessions`, body, AUTH)).body.session_id);
    }
    const command = { command: 'prompt', parameters: { prompt: 'What is 6*7?' } };
    await call('POST', `${old.url}/api/sessions/${ids[0]}/commands`, command, AUTH);
    const options = { cwd: await tempDir(), env: { PATH: process.env.PATH, LLMGINE_API_KEY: KEY } };

    const moving = await run('bash', ['-c', await script(old.url, fresh.url)], options);
    const again = await run('bash', ['-c', await script(old.url, fresh.url)], options);

    expect(moving.stdout + again.stdout).not.toContain('was not moved');
    const names = async (url: string) => {
      const { sessions } = (await call('GET', `${url}/api/sessions`, undefined, AUTH)).body;
      return sessions.map(({ name }: { name: string }) => name);
    };
    expect(await names(fresh.url)).toEqual(await names(old.url));
    const [first] = (await call('GET', `${fresh.url}/api/sessions?offset=4`, undefined, AUTH)).body.sessions;
    const messages = async (url: string, id: string) =>
      (await exportSession(url, id, AUTH)).lines.filter(({ type }) => type === 'message');
    expect(await messages(fresh.url, first.session_id)).toEqual(await messages(old.url, ids[0] ?? ''));
    const next = await call('POST', `${fresh.url}/api/sessions/${first.session_id}/commands`, command, AUTH);
    expect(next.body.status).toBe('completed');
  },
);
