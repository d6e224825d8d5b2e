import { expect, test } from 'vitest';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { person } from '../helpers/people.ts';
import { CHAT, startDemo } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';
import { lookAt } from './looks.ts';

useConsole();

const KEY = 'correct-horse-battery';
/** What the browser itself notes of an answer with this status. */
const REFUSED = { expectedErrors: [/status of 401/] };

async function signIn(console: ConsolePage, key: string): Promise<void> {
  await console.page.getByRole('textbox', { name: 'API key' }).fill(key);
  await console.button('Sign in').click();
}

test('a key opens the console, a wrong one does not, and signing out closes it', async () => {
  const app = await startDemo({ config: { key: KEY } });
  const ann = await person(app, { role: 'user' });
  await ann.createSession({ ...CHAT, name: 'Of Ann' });
  const console = await ConsolePage.open(app.url, REFUSED);
  const { page } = console;

  await console.heading('Sign in').waitFor();
  await lookAt(page, 'console-login');
  await signIn(console, 'llmgine_wrong_key_of_somebody');
  await page.getByText('The server does not know this key').waitFor();
  await lookAt(page, 'console-login-refused');
  await signIn(console, ann.key);
  await page.getByRole('link', { name: 'Of Ann' }).first().waitFor();
  // A script of the page cannot read what lets it in.
  expect(
    await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })),
  ).not.toContain(ann.key);
  await console.newTab('/').then((tab) => tab.page.getByRole('link', { name: 'Of Ann' }).first().waitFor());
  await page.reload();
  await console.link('Of Ann').first().click();
  await console.prompt('hello');
  await console.answers().filter({ hasText: 'You said: "hello"' }).waitFor();
  expect(await console.link('Keys').count()).toBe(0);

  await console.button(ann.principalId).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();

  await console.heading('Sign in').waitFor();
  await page.reload();
  await console.heading('Sign in').waitFor();
});

test('who may only read sees what is there, and nothing to change it with', async () => {
  const app = await startDemo({ config: { key: KEY } });
  const ann = await person(app, { role: 'user' });
  const id = await ann.createSession({ ...CHAT, name: 'Of Ann' });
  await ann.call('POST', `/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'hello' },
  });
  const reader = await person(app, { role: 'viewer', principal_id: ann.principalId });
  const console = await ConsolePage.open(app.url, REFUSED);
  const { page } = console;

  await signIn(console, reader.key);
  await page.getByRole('row', { name: /Of Ann/ }).waitFor();
  expect(await page.getByRole('button', { name: /New session|Import|Delete/ }).count()).toBe(0);
  for (const name of ['Keys', 'Audit log']) expect(await console.link(name).count()).toBe(0);
  await page.keyboard.press('n');
  expect(await console.dialog('New session').count()).toBe(0);
  await console.link('Of Ann').first().click();
  await console.answers().filter({ hasText: 'You said: "hello"' }).waitFor();
  expect(await console.field.count()).toBe(0);
  await page.getByText('Your key may read this conversation').waitFor();
  await lookAt(page, 'console-read-only');
  expect(await console.button('Fork the session from here').count()).toBe(0);
  await console.button('More actions').click();
  await page.getByRole('menuitem', { name: 'Export' }).waitFor();
  expect(await page.getByRole('menuitem', { name: /Fork|Delete/ }).count()).toBe(0);
  await page.keyboard.press('Escape');
  await console.goTo('/keys');
  await console.heading('For admins').waitFor();
});

test('a key that is revoked while it is in use shows the login again', async () => {
  const app = await startDemo({ config: { key: KEY } });
  const ann = await person(app, { role: 'user' });
  const id = await ann.createSession({ ...CHAT, name: 'Of Ann' });
  const console = await ConsolePage.open(app.url, REFUSED);
  await signIn(console, ann.key);
  await console.page.getByRole('link', { name: 'Of Ann' }).first().click();
  await eventually(() => console.sessionId).toBe(id);
  await console.page.getByText('Live', { exact: true }).waitFor();

  await app.app.services.keys.service.revoke(OPERATOR, ann.keyId);

  await console.heading('Sign in').waitFor({ timeout: 60_000 });
  const other = await person(app, { role: 'user', principal_id: ann.principalId });
  await signIn(console, other.key);
  await console.heading('Of Ann').waitFor();
});
