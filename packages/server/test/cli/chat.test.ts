/** `llmgine chat` as people meet it: in a real terminal, against a real server. */
import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { startModelApp, startTestModels } from '../../../../tests/helpers/model-app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { endOf, KEYS, openTerminal, runCli, startCli } from './terminal.ts';

const PROMPT = '› ';

const payTool = () =>
  defineTool({
    name: 'pay',
    description: 'Pays a sum',
    parameters: z.object({ euros: z.number() }),
    approval: true,
    execute: ({ euros }) => ({ paid: euros }),
  });
const addressTool = () =>
  defineTool({
    name: 'ask_address',
    description: 'Asks where to send it',
    parameters: z.object({}),
    form: () => ({
      prompt: 'Where shall we send it?',
      schema: z.object({ city: z.string().min(1), floor: z.int().optional(), fast: z.boolean() }),
    }),
  });
const calls = (name: string, args: object) => ({ steps: [{ toolCalls: [{ name, arguments: args }] }] });

function factory() {
  return new ExtensibleAPIFactory().registerTool(payTool()).registerTool(addressTool());
}

test('an answer streams, and what the model thinks is dimmed', async () => {
  const { url, models } = await startModelApp();
  const gate = models.gate();
  models.script({ steps: [{ reasoning: 'Hm.' }, { text: 'Good ' }, { gate }, { text: 'morning' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Hello${KEYS.enter}`);
  await terminal.shows('Good ');
  gate.release();
  await terminal.shows('morning');
  await terminal.shows(PROMPT);
  terminal.type(`/exit${KEYS.enter}`);

  expect(await terminal.exited).toBe(0);
  expect(terminal.raw).toContain('\u001b[2mHm.');
  expect(models.requests[0]?.body.messages).toContainEqual({ role: 'user', content: 'Hello' });
});

test('a call of a tool and its result are a line each', async () => {
  const { url, models } = await startModelApp();
  models.script(calls('calculate', { expression: '6*7' }), { steps: [{ text: 'It is 42.' }] });
  const terminal = await openTerminal(['chat', '--url', url, '--engine', 'ToolChatEngine']);

  await terminal.shows(PROMPT);
  terminal.type(`6*7?${KEYS.enter}`);
  await terminal.shows('→ calculate {"expression":"6*7"}');
  await terminal.shows(/← calculate .*42.*ms\)/);
  await terminal.shows('It is 42.');
});

test('an approval is answered where it is asked, and everything that is approved is shown', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 50 }), { steps: [{ text: 'Paid.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Pay${KEYS.enter}`);
  await terminal.shows('"euros": 50');
  await terminal.shows('Approve? y/n');
  terminal.type(`maybe${KEYS.enter}`);
  await terminal.shows('Approve? y/n');
  terminal.type(`y${KEYS.enter}`);
  await terminal.shows('← pay {"paid":50}');
  await terminal.shows('Paid.');
});

test('a refusal goes to the model with its reason', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 50 }), { steps: [{ text: 'Not paid.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Pay${KEYS.enter}`);
  await terminal.shows('Approve? y/n');
  terminal.type(`n too much${KEYS.enter}`);
  await terminal.shows('Not paid.');

  expect(JSON.stringify(models.requests[1]?.body.messages)).toContain('too much');
});

test('what was typed before a question is no answer to it', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'Wait. ' }, { gate }, { toolCalls: [{ name: 'pay', arguments: { euros: 9 } }] }] },
    { steps: [{ text: 'Not paid.' }] },
    { steps: [{ text: 'Why yes?' }] },
  );
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Pay${KEYS.enter}`);
  await terminal.shows('Wait.');
  terminal.type(`y${KEYS.enter}`);
  await terminal.shows('next: y');
  gate.release();
  await terminal.shows('Approve? y/n');
  terminal.type(`n${KEYS.enter}`);
  await terminal.shows('Not paid.');
  await terminal.shows('Why yes?');

  expect(models.requests[2]?.body.messages.at(-1)).toEqual({ role: 'user', content: 'y' });
});

test('a form asks for each field, and says what does not fit', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('ask_address', {}), { steps: [{ text: 'Sent.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Send it${KEYS.enter}`);
  await terminal.shows('Where shall we send it?');
  await terminal.shows('city (string): ');
  terminal.type(KEYS.enter);
  await terminal.shows('it is needed');
  await terminal.shows('city (string): ');
  terminal.type(`Bonn${KEYS.enter}`);
  await terminal.shows('floor (integer, optional): ');
  terminal.type(`2.5${KEYS.enter}`);
  await terminal.shows('it is a whole number');
  await terminal.shows('floor (integer, optional): ');
  terminal.type(KEYS.enter);
  await terminal.shows('fast (y/n): ');
  terminal.type(`y${KEYS.enter}`);
  await terminal.shows('Sent.');

  const result = models.requests[1]?.body.messages.at(-1) as { content: string };
  expect(JSON.parse(result.content)).toEqual({ city: 'Bonn', fast: true });
});

test('a form that the server does not take is asked again', async () => {
  const form = defineTool({
    name: 'ask_name',
    description: 'Asks for a name',
    parameters: z.object({}),
    form: () => ({ prompt: 'What is it called?', schema: z.object({ name: z.string().min(3) }) }),
  });
  const { url, models } = await startModelApp({ apiFactory: new ExtensibleAPIFactory().registerTool(form) });
  models.script(calls('ask_name', {}), { steps: [{ text: 'Thanks.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Ask${KEYS.enter}`);
  await terminal.shows('name (string): ');
  terminal.type(`ab${KEYS.enter}`);
  await terminal.shows('What is it called?');
  await terminal.shows('name (string): ');
  terminal.type(`abc${KEYS.enter}`);
  await terminal.shows('Thanks.');
});

test('of an approval that is too long to show, it says so', async () => {
  const tool = defineTool({
    name: 'publish',
    description: 'Publishes a text',
    parameters: z.object({ text: z.string() }),
    approval: true,
    execute: () => ({}),
  });
  const { url, models } = await startModelApp({ apiFactory: new ExtensibleAPIFactory().registerTool(tool) });
  models.script(calls('publish', { text: `${'a'.repeat(12_000)} and the evil part` }));
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Publish${KEYS.enter}`);
  await terminal.shows('more characters are NOT shown');
  await terminal.shows('Approve? y/n');
});

test('an approval that somebody else answers is withdrawn here, and the run goes on', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 50 }), { steps: [{ text: 'Paid.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);
  await terminal.shows(PROMPT);
  terminal.type(`Pay${KEYS.enter}`);
  await terminal.shows('Approve? y/n');

  const { sessions } = (await call('GET', `${url}/api/sessions`)).body;
  const session = `${url}/api/sessions/${sessions[0].session_id}`;
  const { requests } = (await call('GET', `${session}/requests?status=pending`)).body;
  await call('POST', `${session}/requests/${requests[0].request_id}`, { outcome: 'approved' });

  await terminal.shows('Paid.');
  await terminal.shows(PROMPT);
});

test('Ctrl-C cancels the run, and the program goes on', async () => {
  const { url, models } = await startModelApp();
  models.script(
    { steps: [{ text: 'On and ' }, { gate: models.gate() }] },
    { steps: [{ text: 'Here I am.' }] },
  );
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Talk${KEYS.enter}`);
  await terminal.shows('On and ');
  terminal.type(KEYS.ctrlC);
  await models.requests[0]?.closed;
  await terminal.shows(/^cancelled$/m);
  await terminal.shows(PROMPT);
  terminal.type(`Still there?${KEYS.enter}`);
  await terminal.shows('Here I am.');
});

test('Ctrl-C at a question cancels the run', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 50 }));
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Pay${KEYS.enter}`);
  await terminal.shows('Approve? y/n');
  terminal.type(KEYS.ctrlC);
  await terminal.shows(/^cancelled$/m);
  await terminal.shows(PROMPT);
});

test('Ctrl-C twice at an empty prompt leaves; once, or with something typed, does not', async () => {
  const { url } = await startModelApp();
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(KEYS.ctrlC);
  await terminal.shows('Ctrl-C again leaves');
  await terminal.shows(PROMPT);
  terminal.type(`some${KEYS.ctrlC}`);
  await terminal.shows(PROMPT);
  terminal.type(KEYS.ctrlC);
  await terminal.shows('Ctrl-C again leaves');
  terminal.type(KEYS.ctrlC);

  expect(await terminal.exited).toBe(0);
});

test('Ctrl-D leaves', async () => {
  const { url } = await startModelApp();
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(KEYS.ctrlD);

  expect(await terminal.exited).toBe(0);
});

test('a session goes on with the end of its history, in the middle of an answer too', async () => {
  const { url, models } = await startModelApp();
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'First answer.' }] },
    { steps: [{ text: 'Second ' }, { gate }, { text: 'answer.' }] },
  );
  const first = await openTerminal(['chat', '--url', url]);
  await first.shows(PROMPT);
  first.type(`One${KEYS.enter}`);
  await first.shows('First answer.');
  await first.shows(PROMPT);
  first.type(`Two${KEYS.enter}`);
  await first.shows('Second ');
  const id = /session (\S+)/.exec(first.text)?.[1] ?? '';

  const second = await openTerminal(['chat', '--url', url, '--session', id]);
  await second.shows('you: One');
  await second.shows('assistant: First answer.');
  await second.shows('you: Two');
  await second.shows('Second ');
  gate.release();
  await second.shows('answer.');
  await second.shows(PROMPT);

  expect(second.text.match(/Second /g)).toHaveLength(1);
});

test('a session that waits for an approval asks again, and only what is not answered yet', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 1 }), calls('pay', { euros: 2 }), { steps: [{ text: 'All paid.' }] });
  const first = await openTerminal(['chat', '--url', url]);
  await first.shows(PROMPT);
  first.type(`Pay${KEYS.enter}`);
  await first.shows('"euros": 1');
  await first.shows('Approve? y/n');
  first.type(`y${KEYS.enter}`);
  await first.shows('"euros": 2');
  await first.shows('Approve? y/n');
  const id = /session (\S+)/.exec(first.text)?.[1] ?? '';
  first.type(KEYS.ctrlD);
  expect(await first.exited).toBe(0);

  const second = await openTerminal(['chat', '--url', url, '--session', id]);
  await second.shows('"euros": 2');
  await second.shows('Approve? y/n');
  second.type(`y${KEYS.enter}`);
  await second.shows('All paid.');

  expect(second.text).not.toContain('"euros": 1');
});

test('a second Ctrl-C leaves while the server is away, with 130', async () => {
  const models = await startTestModels();
  const server = await startServer({
    LLMGINE_API_DATABASE_URL: ':memory:',
    OPENAI_BASE_URL: models.baseUrl,
    LLMGINE_API_MODEL: 'openai-compatible:x',
  });
  models.script({ steps: [{ text: 'Half an ' }, { gate: models.gate() }] });
  const terminal = await openTerminal(['chat', '--url', server.url]);
  await terminal.shows(PROMPT);
  terminal.type(`Answer me${KEYS.enter}`);
  await terminal.shows('Half an ');
  await server.kill('SIGKILL');
  await terminal.shows('the connection is lost');

  terminal.type(KEYS.ctrlC);
  await terminal.shows('cancelling');
  terminal.type(KEYS.ctrlC);

  expect(await terminal.exited).toBe(130);
  // Leaving breaks off what waits, and that is no failure.
  expect(terminal.text).not.toContain('The session was closed');
});

test('SIGTERM ends it, and gives the terminal back as it was', async () => {
  const { url } = await startModelApp();
  const terminal = await openTerminal(['chat', '--url', url]);
  await terminal.shows(PROMPT);

  terminal.signal('SIGTERM');

  expect(await terminal.exited).toBe(143);
  expect(terminal.raw.lastIndexOf('\u001b[?2004l')).toBeGreaterThan(
    terminal.raw.lastIndexOf('\u001b[?2004h'),
  );
});

test('a pasted text of several lines is one prompt', async () => {
  const { url, models } = await startModelApp();
  models.script({ steps: [{ text: 'Read.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type('\u001b[200~one\rtwo\r\u001b[201~');
  terminal.type(`three${KEYS.enter}`);
  await terminal.shows('Read.');

  expect(models.requests[0]?.body.messages.at(-1)).toEqual({ role: 'user', content: 'one\ntwo\nthree' });
});

test('what a model says steers no terminal (check 31)', async () => {
  const { url, models } = await startModelApp();
  models.script({ steps: [{ text: 'a\u001b]0;owned\u0007b\u001b[2' }, { text: 'Jc\u009b31md\be' }] });
  const terminal = await openTerminal(['chat', '--url', url]);

  await terminal.shows(PROMPT);
  terminal.type(`Attack${KEYS.enter}`);
  await terminal.shows('abcde');

  expect(terminal.raw).not.toContain('owned');
  expect(terminal.raw).not.toContain('\u001b[2J');
  expect(terminal.raw).not.toContain('\u009b');
});

test('commands: help, engine, history, sessions, new, fork; what is not one is said', async () => {
  const { url, models } = await startModelApp();
  models.script({ steps: [{ text: 'Hello you.' }] });
  const terminal = await openTerminal(['chat', '--url', url]);
  const type = async (line: string, ...shown: string[]) => {
    await terminal.shows(PROMPT);
    terminal.type(`${line}${KEYS.enter}`);
    for (const text of shown) await terminal.shows(text);
  };

  await type('/help', '/history', '/fork', '/exit');
  await type('/engine', '* ToolChatEngine');
  await type('/engine SinglePassEngine', 'SinglePassEngine is linked');
  await type('Hi', 'Hello you.');
  await type('/history', 'you: Hi', 'assistant: Hello you.');
  await type('/fork', 'SinglePassEngine on', 'you: Hi', 'assistant: Hello you.');
  await type('/new', 'SinglePassEngine on');
  await type('/sessions', '* ');
  await type('/nothing', 'there is no command /nothing');
  await type('/engine NoEngine', 'NoEngine');
  await type('/exit');

  expect(await terminal.exited).toBe(0);
  expect((await call('GET', `${url}/api/sessions`)).body.total).toBe(3);
});

test('it says that the connection is lost, and goes on when the server is there again', async () => {
  const models = await startTestModels();
  const gate = models.gate();
  models.script({ steps: [{ text: 'Half an ' }, { gate }] }, { steps: [{ text: 'A whole answer.' }] });
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    OPENAI_BASE_URL: models.baseUrl,
    LLMGINE_API_MODEL: 'openai-compatible:x',
  };
  const server = await startServer(env);
  const terminal = await openTerminal(['chat', '--url', server.url]);
  await terminal.shows(PROMPT);
  terminal.type(`Answer me${KEYS.enter}`);
  await terminal.shows('Half an ');

  await server.kill('SIGKILL');
  await terminal.shows('the connection is lost');
  await startServer({ ...env, LLMGINE_API_PORT: new URL(server.url).port });

  await terminal.shows('connected again');
  await terminal.shows('A whole answer.');
  await terminal.shows(PROMPT);
});

test('a session that is deleted meanwhile ends the program with 1', async () => {
  const { url } = await startModelApp();
  const terminal = await openTerminal(['chat', '--url', url]);
  await terminal.shows(PROMPT);
  const id = /session (\S+)/.exec(terminal.text)?.[1] ?? '';

  await call('DELETE', `${url}/api/sessions/${id}`);

  expect(await terminal.exited).toBe(1);
});

test('in a pipe each line is a prompt, and the answers are all that is printed', async () => {
  const { url, models } = await startModelApp();
  models.script({ steps: [{ reasoning: 'Hm.' }, { text: 'One.' }] }, { steps: [{ text: 'T\u001b[2Jwo.' }] });

  const { code, stdout, stderr } = await runCli(['chat', '--url', url], { input: 'first\n\nsecond\n' });

  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'One.\nTwo.\n', stderr: '' });
});

test('--once takes all of standard input as one prompt', async () => {
  const { url, models } = await startModelApp();

  const { code, stdout } = await runCli(['chat', '--once', '--url', url], { input: 'first\nsecond\n' });

  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hello from the model server.\n' });
  expect(models.requests[0]?.body.messages.at(-1)).toEqual({ role: 'user', content: 'first\nsecond' });
});

test('--json prints the events, one a line', async () => {
  const { url } = await startModelApp();

  const { stdout } = await runCli(['chat', '--json', '--url', url], { input: 'Hi\n' });
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

  expect(events[0]).toMatchObject({ event_type: expect.any(String), cursor: expect.any(String) });
  expect(events.at(-1)).toMatchObject({ event_type: 'run_finished', payload: { status: 'completed' } });
});

test('a run that fails is exit code 1, and nothing after it is asked', async () => {
  const { url, models } = await startModelApp();
  models.script({ status: 500, error: { message: 'out of order' } });

  const { code, stderr } = await runCli(['chat', '--url', url], { input: 'first\nsecond\n' });

  expect(code).toBe(1);
  expect(stderr).toMatch(/^llmgine: failed: .*out of order.*\(MODEL_ERROR\)\n$/);
  expect(models.requests).toHaveLength(1);
});

test('SIGINT in a pipe cancels the run, with exit code 130', async () => {
  const { url, models } = await startModelApp();
  models.script({ steps: [{ text: 'On and ' }, { gate: models.gate() }] });
  const child = await startCli(['chat', '--url', url], { input: 'first\nsecond\n' });
  const end = endOf(child);
  const request = await models.received(1);
  await new Promise((resolve) => child.stdout.once('data', resolve));

  child.kill('SIGINT');

  await request.closed;
  expect(await end).toMatchObject({ code: 130, stderr: 'llmgine: cancelled\n' });
  expect(models.requests).toHaveLength(1);
});

test('a run that asks in a pipe is exit code 4, and waits for whoever answers', async () => {
  const { url, models } = await startModelApp({ apiFactory: factory() });
  models.script(calls('pay', { euros: 50 }));

  const { code, stderr } = await runCli(['chat', '--url', url], { input: 'Pay\n' });

  expect(code).toBe(4);
  expect(stderr).toMatch(/answer with: llmgine chat --session [0-9a-f-]{36}/);
});

test.each([
  [
    ['chat', '--url', 'http://127.0.0.1:1'],
    3,
    'no server answers at http://127.0.0.1:1; start one with: llmgine serve',
  ],
  [['chat', '--url', 'nonsense'], 2, '--url is "nonsense"'],
  [['chat', '--config', '[1]'], 2, 'must be a JSON object'],
  [['chat', '--config', '{'], 2, 'is not JSON'],
  [['sessions', 'ls', '--url', 'http://127.0.0.1:1'], 3, 'start one with: llmgine serve'],
] as const)('%j says in one line what is wrong', async (args, exitCode, message) => {
  const { code, stdout, stderr } = await runCli(args);

  expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

test('a wrong key, a session and an engine that are not there, are said', async () => {
  const { url } = await startModelApp();
  const unknown = '00000000-0000-4000-8000-000000000000';

  const wrong = await runCli(['chat', '--url', url], { env: { LLMGINE_TOKEN: 'x'.repeat(20) } });
  const session = await runCli(['chat', '--url', url, '--session', unknown]);
  const engine = await runCli(['chat', '--url', url, '--engine', 'NoEngine']);

  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('LLMGINE_TOKEN') });
  expect(session.code).toBe(1);
  expect(session.stderr).toMatch(/session/i);
  expect(engine.stderr).toContain('NoEngine');
});
