import { test } from 'vitest';
import { person } from '../helpers/people.ts';
import { CHAT, startDemo } from './console-app.ts';
import { ConsolePage, useConsole } from './console-page.ts';
import { lookAt } from './looks.ts';

useConsole();

const MINUTES = 60_000;

test('axe finds nothing on the other pages, and pictures of them are kept', {
  timeout: 4 * MINUTES,
}, async () => {
  const app = await startDemo();
  const { url } = app;
  const names = [
    'Adding numbers',
    'Trip to Lisbon',
    'Invoice 2041',
    'Release notes',
    null,
    'Interview with Ada',
  ];
  for (const [index, name] of names.entries()) {
    const id = await app.createSession({
      ...CHAT,
      ...(name === null ? {} : { name }),
      metadata: { owner: index % 2 === 0 ? 'Ann' : 'Ben' },
    });
    await fetch(`${url}/api/sessions/${id}/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command: 'prompt', parameters: { prompt: `write ${(index + 1) * 20} words` } }),
    });
  }
  await person(app, { name: 'CI of the web shop', role: 'user' });
  await person(app, { name: 'Dashboard', role: 'viewer' });
  // The session that is not there.
  const console = await ConsolePage.open(url, { expectedErrors: [/status of 404/] });
  const { page } = console;
  await page.getByRole('row', { name: /Adding numbers/ }).waitFor();
  await lookAt(page, 'console-sessions');
  await page.getByRole('textbox', { name: /^Search/ }).fill('no such thing');
  await console.heading('Nothing found').waitFor();
  await lookAt(page, 'console-nothing-found');

  await page.keyboard.press('Escape');
  await console.heading('Sessions').click();
  await page.keyboard.press('?');
  await console.dialog('Keyboard shortcuts').waitFor();
  await lookAt(page, 'console-shortcuts');
  await page.keyboard.press('Escape');

  await console.link('Server').click();
  await console.heading('Limits').waitFor();
  await lookAt(page, 'console-server');

  await console.link('Keys').click();
  await page.getByRole('cell', { name: 'Dashboard', exact: true }).waitFor();
  await lookAt(page, 'console-keys');
  await console.button('New key').click();
  await console.dialog('New key').getByRole('textbox', { name: 'Name' }).fill('Another');
  await lookAt(page, 'console-new-key');
  await console.button('Create key').click();
  await console.dialog('Your new key').waitFor();
  await lookAt(page, 'console-issued-key');
  await console.button('I have kept it').click();

  await console.link('Audit log').click();
  await page.getByRole('cell', { name: 'key.created' }).first().waitFor();
  await lookAt(page, 'console-audit');

  await console.goTo('/sessions/00000000-0000-4000-8000-000000000000');
  await console.heading('This session is not here').waitFor();
  await lookAt(page, 'console-not-found');
});
