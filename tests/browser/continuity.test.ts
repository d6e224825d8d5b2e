import { expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { CHAT, messagesOf, startScripted } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('a reload in the middle of an answer: it goes on, nothing is there twice, nothing is missing', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const [first, second] = [models.gate(), models.gate()];
  models.script({
    steps: [
      { text: 'One, ' },
      { text: 'two, ' },
      { gate: first },
      { text: 'three, ' },
      { gate: second },
      { text: 'four.' },
    ],
  });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  await console.prompt('Count');
  await eventually(() => console.said()).toEqual([
    ['You', 'Count'],
    ['Assistant', 'One, two,'],
  ]);

  await console.page.reload();
  await eventually(() => console.said()).toEqual([
    ['You', 'Count'],
    ['Assistant', 'One, two,'],
  ]);
  await console.button('Stop the answer').waitFor();
  first.release();
  await eventually(() => console.said()).toEqual([
    ['You', 'Count'],
    ['Assistant', 'One, two, three,'],
  ]);
  await console.page.reload();
  second.release();

  await console.settled();
  await eventually(() => console.said()).toEqual([
    ['You', 'Count'],
    ['Assistant', 'One, two, three, four.'],
  ]);
  expect(await console.said()).toEqual(await messagesOf(url, id));
});

test('the server is killed in the middle of an answer and started again: the page says so and recovers by itself', async () => {
  const models = await startTestModels();
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  };
  const server = await startServer(env);
  const { body } = await call('POST', `${server.url}/api/sessions`, CHAT);
  const id = body.session_id as string;
  const gate = models.gate();
  models.script(
    { steps: [{ text: 'Before.' }] },
    { steps: [{ text: 'Half of ' }, { gate }] },
    { steps: [{ text: 'All of ' }, { text: 'it.' }] },
    { steps: [{ text: 'Afterwards.' }] },
  );
  const console = await ConsolePage.open(server.url, {
    path: `/sessions/${id}`,
    // What the browser says of a server that is not there.
    expectedErrors: [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket connection/],
  });
  await console.prompt('Are you there?');
  await console.answers().filter({ hasText: 'Before.' }).waitFor();
  await console.settled();
  await console.page.evaluate(() => Object.assign(globalThis, { isTheSamePage: true }));
  await console.prompt('All of it, please');
  await console.answers().filter({ hasText: 'Half of' }).waitFor();

  await server.kill('SIGKILL');
  await console.page.getByText('The connection was lost. Reconnecting').waitFor();
  await console.page.getByRole('status').filter({ hasText: 'Reconnecting' }).waitFor();
  expect(await console.said()).toContainEqual(['Assistant', 'Half of']);
  const again = await startServer({ ...env, LLMGINE_API_PORT: new URL(server.url).port });

  await console.answers().filter({ hasText: 'All of it.' }).waitFor({ timeout: 60_000 });
  await console.settled();
  await console.page.getByText('The connection was lost').waitFor({ state: 'detached' });
  await console.prompt('Still?');
  await console.answers().filter({ hasText: 'Afterwards.' }).waitFor();
  await console.settled();
  expect(await console.said()).toEqual([
    ['You', 'Are you there?'],
    ['Assistant', 'Before.'],
    ['You', 'All of it, please'],
    ['Assistant', 'All of it.'],
    ['You', 'Still?'],
    ['Assistant', 'Afterwards.'],
  ]);
  expect(await messagesOf(again.url, id)).toEqual(await console.said());
  expect(await console.page.evaluate(() => 'isTheSamePage' in globalThis)).toBe(true);
});

test('a message that is written while the server is away is sent once, when it is back', async () => {
  const models = await startTestModels();
  const env = {
    LLMGINE_API_DATA_DIR: await tempDir(),
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: models.baseUrl,
  };
  const server = await startServer(env);
  const { body } = await call('POST', `${server.url}/api/sessions`, CHAT);
  const id = body.session_id as string;
  models.script({ steps: [{ text: 'Here I am.' }] });
  const console = await ConsolePage.open(server.url, {
    path: `/sessions/${id}`,
    expectedErrors: [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket connection/],
  });
  await console.page.getByText('Live', { exact: true }).waitFor();

  await server.kill('SIGKILL');
  await console.page.getByText('The connection was lost. Reconnecting').waitFor();
  await console.field.fill('Anybody there?');
  await console.field.press('Enter');
  await startServer({ ...env, LLMGINE_API_PORT: new URL(server.url).port });

  await console.answers().filter({ hasText: 'Here I am.' }).waitFor({ timeout: 60_000 });
  await console.settled();
  expect(await console.said()).toEqual([
    ['You', 'Anybody there?'],
    ['Assistant', 'Here I am.'],
  ]);
  expect(models.requests).toHaveLength(1);
});

test('two tabs on one session stay equal while both write', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.respond = ({ body }) => ({
    steps: [{ text: 'You ' }, { text: 'said ' }, { text: String(body.messages.at(-1)?.content) }],
  });
  const one = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const other = await one.newTab(`/sessions/${id}`);
  await Promise.all([one, other].map((tab) => tab.page.getByText('Live', { exact: true }).waitFor()));

  for (const round of ['a', 'b', 'c']) {
    await Promise.all([one.prompt(`one ${round}`), other.prompt(`other ${round}`)]);
  }

  await eventually(async () => (await one.said()).length).toBe(12);
  await Promise.all([one.settled(), other.settled()]);
  const kept = await messagesOf(url, id);
  const asked = kept.flatMap(([who, text]) => (who === 'You' ? [text] : []));
  expect(asked.toSorted()).toEqual(['one a', 'one b', 'one c', 'other a', 'other b', 'other c']);
  // Each answer is below what it answers, however long that had to wait.
  const inTurn = asked.flatMap((text) => [
    ['You', text],
    ['Assistant', `You said ${text}`],
  ]);
  await eventually(() => one.said()).toEqual(inTurn);
  await eventually(() => other.said()).toEqual(inTurn);
  await other.page.reload();
  await eventually(() => other.said()).toEqual(inTurn);
});

test('an approval that one tab gives closes the dialog of the other', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.script(
    { steps: [{ toolCalls: [{ name: 'send_mail', arguments: { to: 'ann@example.com', subject: 'Hi' } }] }] },
    { steps: [{ text: 'It is sent.' }] },
  );
  const one = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const other = await one.newTab(`/sessions/${id}`);
  await other.page.getByText('Live', { exact: true }).waitFor();

  await one.prompt('Write to Ann');
  await one.dialog('Approval needed').waitFor();
  await other.dialog('Approval needed').getByRole('button', { name: 'Approve' }).click();

  await one.dialog('Approval needed').waitFor({ state: 'detached' });
  for (const tab of [one, other]) await tab.answers().filter({ hasText: 'It is sent.' }).waitFor();
  await eventually(() => one.said()).toEqual(await other.said());
});

test('a page that is older than the server takes the new one instead of breaking', async () => {
  const { url } = await startScripted();
  const console = await ConsolePage.open(url, {
    expectedErrors: [/status of 404/, /dynamically imported module/],
  });
  const { page } = console;
  await console.button('Start a session').waitFor();
  // What an update leaves of the files that the page knows: nothing.
  await page.route('**/assets/server-page-*.js', (route) => route.fulfill({ status: 404 }), { times: 1 });

  await console.link('Server').click();

  await console.heading('Limits').waitFor();
});
