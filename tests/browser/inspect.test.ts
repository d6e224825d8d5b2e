import { expect, test } from 'vitest';
import { call } from '../helpers/rest.ts';
import { CHAT, startDemo, startScripted } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('an engine is chosen and set in the panel, and says which setting is wrong', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession({ name: 'Bare' });
  const console = await ConsolePage.open(url, {
    path: `/sessions/${id}`,
    // No engine is linked; a setting is refused.
    expectedErrors: [/status of (404|409|422)/],
  });
  const { page } = console;
  await console.heading('No engine is linked').waitFor();

  await console.button('Choose an engine').click();
  const panel = console.dialog('Engine');
  await panel.getByRole('textbox', { name: 'System prompt' }).fill('Answer in verse.');
  await panel.getByRole('textbox', { name: 'Temperature' }).fill('99');
  await console.button('Link engine').click();
  await eventually(() =>
    panel.getByRole('textbox', { name: 'Temperature' }).getAttribute('aria-invalid'),
  ).toBe('true');
  await panel.getByRole('textbox', { name: 'Temperature' }).fill('0.5');
  await console.button('Link engine').click();
  await panel.waitFor({ state: 'detached' });
  await console.button('Engine of the session: ToolChatEngine').waitFor();

  await console.prompt('Hello');
  await console.answers().filter({ hasText: 'Hello from the model server.' }).waitFor();
  expect(models.requests[0]?.body).toMatchObject({
    temperature: 0.5,
    messages: [{ role: 'system', content: expect.stringContaining('Answer in verse.') }, { role: 'user' }],
  });
  await console.button('Engine of the session: ToolChatEngine').click();
  await eventually(() => panel.getByRole('textbox', { name: 'System prompt' }).inputValue()).toBe(
    'Answer in verse.',
  );
  await console.button('Unlink').click();
  await console.button('Engine of the session: No engine').waitFor();
  expect((await call('GET', `${url}/api/sessions/${id}/engine`)).status).toBe(409);
  await page.getByText('The engine is unlinked').waitFor();
});

test('the timeline has each event once, filters them, shows frames as they are, and copies what does the same', async () => {
  const { url, createSession } = await startDemo();
  const id = await createSession(CHAT);
  const console = await ConsolePage.open(url, {
    path: `/sessions/${id}`,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const { page } = console;
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  const kinds = () => page.getByRole('option').allTextContents();
  await console.prompt('what is 6 * 7?');
  await console.answers().filter({ hasText: '6 * 7 is 42' }).waitFor();
  await console.settled();

  await console.tab('Timeline');
  const { body } = await call('GET', `${url}/api/sessions/${id}/events?limit=100`);
  const { length } = body.events as unknown[];
  await page.getByText(`${length} entries`).waitFor();
  await page
    .getByRole('textbox', { name: 'Types' })
    .or(page.getByRole('combobox', { name: 'Types' }))
    .click();
  await page.getByRole('option', { name: 'tool_result', exact: true }).click();
  await page.keyboard.press('Escape');
  await page.getByText('1 entry').waitFor();
  const entry = page.getByRole('listbox', { name: 'Entries' }).getByRole('option');
  await eventually(() => entry.count()).toBe(1);
  await entry.click();
  const raw = page.getByRole('region', { name: 'Raw JSON' });
  await eventually(async () => JSON.parse((await raw.textContent()) ?? '{}').payload?.result).toEqual({
    value: 42,
  });
  await console.button('Copy as curl').click();
  await eventually(copied).toContain(`${url}/api/sessions/${id}/events?after=`);
  await console.button('Copy as client code').click();
  await eventually(copied).toContain(`client.session('${id}')`);

  await page.getByText('Frames', { exact: true }).click();
  await entry.filter({ hasText: '→ command' }).click();
  await eventually(async () => JSON.parse((await raw.textContent()) ?? '{}').data).toMatchObject({
    command: 'prompt',
    parameters: { prompt: 'what is 6 * 7?' },
  });
  await console.button('Copy as curl').click();
  await eventually(copied).toContain(`-X POST`);
  expect(await copied()).toContain('what is 6 * 7?');
  expect((await kinds()).some((kind) => kind.includes('← event run_finished'))).toBe(true);
});

test('the timeline goes on by itself, and holds still while it is paused', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const console = await ConsolePage.open(url, { path: `/sessions/${id}/timeline` });
  const { page } = console;
  const entries = page.getByRole('listbox', { name: 'Entries' }).getByRole('option');
  await page.getByText('Live', { exact: true }).waitFor();
  const ask = () =>
    call('POST', `${url}/api/sessions/${id}/commands`, { command: 'prompt', parameters: { prompt: 'Hi' } });

  await ask();
  await entries.filter({ hasText: 'run_finished' }).waitFor();
  await page.getByRole('switch', { name: 'Pause' }).click();
  const before = await entries.count();
  await ask();
  await page.getByText(/^Paused, \d+ more$/).waitFor();
  expect(await entries.count()).toBe(before);
  await page.getByRole('switch', { name: /^Paused/ }).click();
  await eventually(() => entries.filter({ hasText: 'run_finished' }).count()).toBe(2);
  expect(models.requests).toHaveLength(2);
});

test('runs have charts, a waterfall of their steps, and the numbers in a table', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.script(
    {
      steps: [{ toolCalls: [{ name: 'calculate', arguments: { expression: '6*7' } }] }],
      tokens: { input: 100, output: 20 },
    },
    { steps: [{ text: '4' }, { text: '2' }], tokens: { input: 130, output: 5 } },
    { steps: [{ text: 'Yes' }], tokens: { input: 150, output: 1 } },
  );
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const { page } = console;
  await console.prompt('What is 6*7?');
  await console.answers().filter({ hasText: /^42/ }).waitFor();
  await console.settled();
  await console.prompt('Sure?');
  await console.answers().filter({ hasText: 'Yes' }).waitFor();
  await console.settled();

  await console.tab('Runs');
  await console.heading('Tokens by run').waitFor();
  for (const chart of [/^Tokens of each run/, /^Time to the first token/]) {
    const figure = page.getByRole('figure', { name: chart });
    await eventually(() => figure.locator('svg path[d]').count()).toBeGreaterThan(0);
  }
  const rows = page.getByRole('row').filter({ hasText: 'completed' });
  await eventually(() => rows.count()).toBe(2);
  expect(await rows.last().textContent()).toContain('230');
  await rows.last().getByRole('button').click();
  const steps = page.getByRole('list', { name: 'Steps of the run' }).getByRole('listitem');
  await eventually(() => steps.count()).toBe(3);
  expect(await steps.nth(1).textContent()).toContain('calculate');
});

test('what is attached is shown, and travels with the message', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const { page } = console;
  const pixel =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    console.button('Attach images').click(),
  ]);
  await chooser.setFiles({ name: 'dot.png', mimeType: 'image/png', buffer: Buffer.from(pixel, 'base64') });
  await page.getByRole('list', { name: 'Attached images' }).getByText('dot.png').waitFor();

  await console.prompt('What is this?');

  await console.answers().first().waitFor();
  const image = page.getByRole('article', { name: 'You said' }).getByRole('img', { name: 'dot.png' });
  await eventually(() => image.evaluate((picture) => (picture as HTMLImageElement).naturalWidth)).toBe(1);
  expect(JSON.stringify(models.requests[0]?.body.messages.at(-1)?.content)).toContain(pixel);
});

test('health, limits and tools of the server are on a page', async () => {
  const { url } = await startDemo();
  const console = await ConsolePage.open(url, { path: '/server' });
  const { page } = console;

  await page.getByText('healthy').waitFor();
  for (const text of ['demo:fast', 'send_mail', 'ToolChatEngine'])
    await page.getByText(text).first().waitFor();
});
