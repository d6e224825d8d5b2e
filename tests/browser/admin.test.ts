import { expect, test } from 'vitest';
import { call } from '../helpers/rest.ts';
import { startDemo } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('a key is made, shown once, rotated and revoked, and the audit log has it all', async () => {
  const { url, app } = await startDemo();
  const console = await ConsolePage.open(url, { path: '/keys' });
  const { page } = console;
  const info = async (key: string) =>
    (await call('GET', `${url}/api/auth/session`, undefined, { authorization: `Bearer ${key}` })).status;
  const row = page.getByRole('row').filter({ hasText: 'The web shop' });

  await console.heading('No keys yet').waitFor();
  await console.button('New key').click();
  await console.dialog('New key').getByRole('textbox', { name: 'Name' }).fill('The web shop');
  await console.button('Create key').click();
  const issued = console.dialog('Your new key');
  const key = (await issued.getByRole('status', { name: 'Key' }).textContent()) ?? '';
  await page.keyboard.press('Escape');
  await issued.waitFor();
  await console.button('I have kept it').click();
  await issued.waitFor({ state: 'detached' });
  expect(await info(key)).toBe(200);
  expect(await page.content()).not.toContain(key);
  await row.getByText('active').waitFor();

  await console.button('Actions for The web shop').click();
  await page.getByRole('menuitem', { name: 'Revoke…' }).click();
  await console.button('Keep it').click();
  expect(await info(key)).toBe(200);
  await console.button('Actions for The web shop').click();
  await page.getByRole('menuitem', { name: 'Revoke…' }).click();
  await console.button('Revoke key').click();
  await row.getByText('revoked').waitFor();
  await eventually(() => info(key)).toBe(401);

  await app.services.audit.flush();
  await console.link('Audit log').click();
  await page.getByRole('cell', { name: 'key.created' }).waitFor();
  await page.getByRole('cell', { name: 'key.revoked' }).waitFor();
  await page
    .getByRole('textbox', { name: 'Action' })
    .or(page.getByRole('combobox', { name: 'Action' }))
    .click();
  await page.getByRole('option', { name: 'key.created' }).click();
  await page.getByRole('cell', { name: 'key.revoked' }).waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'key.created' }).waitFor();
});
