/** Every snippet of the README works as it is written. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { defineMessage, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../tests/helpers/app.ts';
import { startModelApp } from '../../../tests/helpers/model-app.ts';

const PACKAGE = join(import.meta.dirname, '..');
const SNIPPETS = [...readFileSync(join(PACKAGE, 'README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(
  (match) => String(match[1]),
);

/** Runs the only snippet with these words against a server, and resolves with what it prints. */
async function run(containing: string, url: string): Promise<string> {
  const found = SNIPPETS.filter((snippet) => snippet.includes(containing));
  expect(found, containing).toHaveLength(1);
  const program = String(found[0]).replaceAll('http://localhost:8000', url);
  const options = ['--conditions=@llmgine/source', '--input-type=module-typescript', '--eval', program];
  const child = spawn(process.execPath, options, { cwd: PACKAGE, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [printed, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return printed;
}

test('there is no snippet without a test', () => {
  expect(SNIPPETS).toHaveLength(5);
});

test('a conversation', async () => {
  const { url } = await startApp();
  expect(await run('for await', url)).toMatch(/\ncompleted, \d+ tokens\n$/);
});

test('what happens in a session', async () => {
  const { url } = await startApp();
  const lines = (await run('onState', url)).trim().split('\n');
  expect(lines).toEqual([
    'connection: connecting',
    'connection: open',
    'user has spoken',
    'assistant has spoken',
    'note: for everybody in this session',
    '2 messages, 0 requests',
    'connection: closed',
  ]);
});

test('a tool that runs in the client', async () => {
  const where = defineTool({
    name: 'where',
    description: 'Where the user is',
    parameters: z.object({ precise: z.boolean() }),
    client: true,
  });
  const apiFactory = new ExtensibleAPIFactory().registerTool(where);
  const { models, url } = await startModelApp({ apiFactory });
  models.respond = ({ body }) => {
    const last = body.messages.at(-1);
    if (last?.role === 'tool') return { steps: [{ text: `You are in ${JSON.stringify(last.content)}` }] };
    return { steps: [{ toolCalls: [{ id: 'call_1', name: 'where', arguments: { precise: true } }] }] };
  };
  expect(await run('where: async', url)).toContain('Trastevere');
});

test('messages of your own', async () => {
  const Greet = defineMessage('greet', z.object({ name: z.string() }));
  const Greeting = defineMessage('greeting', z.object({ text: z.string() }));
  const apiFactory = new ExtensibleAPIFactory().registerMessage(
    Greet,
    ({ data }) => new Greeting({ text: `Hello ${data.name}` }),
    { response: Greeting },
  );
  const { url } = await startApp({ apiFactory });
  expect(await run('type Messages', url)).toBe('Hello Ada\n');
});

test('errors', async () => {
  const { url } = await startApp();
  expect(await run('instanceof LlmgineError', url)).toBe('SESSION_NOT_FOUND 404 false\n');
});
