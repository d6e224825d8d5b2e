/** In Node, with nothing but what Node has. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../../../tests/helpers/app.ts';

const PROGRAM = join(import.meta.dirname, 'node-program.ts');
const SRC = join(import.meta.dirname, '../src');

test('a program that has closed its client ends by itself: nothing of it goes on', async () => {
  const { url } = await startApp();
  const child = spawn(process.execPath, ['--conditions=@llmgine/source', PROGRAM, url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(said).not.toBe('');
});

test('at run time the client needs the wire of the protocol and nothing else', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const imported = files
    .flatMap((name) => [
      ...readFileSync(join(SRC, name), 'utf8').matchAll(
        /^(?:import|export)(?! type)[^;]*? from '([^.][^']*)'/gms,
      ),
    ])
    .map((match) => match[1]);
  expect([...new Set(imported)].sort()).toEqual(['@llmgine/protocol/wire', 'react']);
});
