/** `npm start` is how the README starts the server, so whoever stops npm has to stop the server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../../..');

async function npmStart() {
  const npm = spawn('npm', ['start'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LLMGINE_API_HOST: '127.0.0.1',
      LLMGINE_API_PORT: '0',
      LLMGINE_API_DATABASE_URL: ':memory:',
    },
    // A group of its own, as a terminal makes one: nothing of it outlives the test.
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const group = -(npm.pid as number);
  onTestFinished(() => {
    try {
      process.kill(group, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  const lines: string[] = [];
  const port = Promise.withResolvers<string>();
  const output = createInterface({ input: npm.stdout });
  output.on('line', (line) => {
    lines.push(line);
    const match = /"port":(\d+)/.exec(line);
    if (match) port.resolve(match[1] as string);
  });
  const exited = once(npm, 'exit') as Promise<[number | null, string | null]>;
  return {
    npm,
    group,
    lines,
    exited,
    written: once(output, 'close'),
    url: `http://127.0.0.1:${await port.promise}`,
  };
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s to npm stops the server gracefully', async (signal) => {
  const { npm, lines, exited, written, url } = await npmStart();

  npm.kill(signal);

  expect(await exited).toEqual([0, null]);
  await expect(fetch(`${url}/health`)).rejects.toThrow();
  await written;
  expect(lines.at(-1)).toContain('"stopped"');
});

test('Ctrl-C, which a terminal sends to npm and to the server, stops it gracefully', async () => {
  const { group, lines, exited, written } = await npmStart();

  process.kill(group, 'SIGINT');

  // What npm makes of its own signal is npm's.
  await exited;
  await written;
  expect(lines.at(-1)).toContain('"stopped"');
});
