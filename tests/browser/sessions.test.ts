import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { call } from '../helpers/rest.ts';
import { CHAT, startDemo } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('150 sessions: they come page by page, are found by name, filtered by status, and deleted', async () => {
  const app = await startDemo({ config: { maxSessions: 1000 } });
  const { url } = app;
  for (let n = 1; n <= 150; n++) await app.createSession({ name: `Session number ${n}` });
  const id = await app.createSession({ ...CHAT, name: 'The odd one', metadata: { team: 'blue' } });
  const console = await ConsolePage.open(url);
  const { page } = console;
  const table = page.getByRole('table');
  const rows = table.getByRole('link', { name: /number|odd/ });
  await page.getByText('151 sessions').waitFor();
  await eventually(() => rows.count()).toBe(50);

  await console.button('Load more').scrollIntoViewIfNeeded();
  await eventually(() => rows.count()).toBeGreaterThan(50);
  await eventually(async () => {
    const more = console.button('Load more');
    if ((await more.count()) > 0) await more.scrollIntoViewIfNeeded().catch(() => undefined);
    return rows.count();
  }).toBe(151);
  const names = await rows.allTextContents();
  expect(new Set(names).size).toBe(151);

  await page.reload();
  await eventually(() => rows.count()).toBe(50);
  const search = page.getByRole('textbox', { name: /^Search/ });
  // It is on the last page.
  await search.fill('number 3');
  await eventually(() => rows.allTextContents()).toContain('Session number 3');
  await eventually(() => rows.count()).toBe(11);
  await search.fill('blue');
  await eventually(() => rows.allTextContents()).toEqual(['The odd one']);
  await search.press('Escape');
  await page.getByRole('radiogroup', { name: 'Status' }).getByText('Failed').click();
  await console.heading('Nothing found').waitFor();
  await page.getByRole('radiogroup', { name: 'Status' }).getByText('All').click();
  await eventually(() => rows.count()).toBeGreaterThan(0);

  await console.button('Delete The odd one').click();
  await console.button('Keep it').click();
  expect((await call('GET', `${url}/api/sessions/${id}`)).status).toBe(200);
  await console.button('Delete The odd one').click();
  await console.button('Delete session').click();
  await page.getByText('150 sessions').waitFor();
  await console.button('Delete The odd one').waitFor({ state: 'detached' });
  expect((await call('GET', `${url}/api/sessions/${id}`)).status).toBe(404);
});

test('what is exported is a session again when it is imported', async () => {
  const { url, createSession } = await startDemo();
  const id = await createSession({ ...CHAT, name: 'To keep' });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const { page } = console;
  await console.prompt('what is 6 * 7?');
  await console.answers().filter({ hasText: '6 * 7 is 42' }).waitFor();
  await console.settled();
  const said = await console.said();

  const [download] = await Promise.all([page.waitForEvent('download'), console.menu('Export')]);
  const file = await download.path();
  expect(download.suggestedFilename()).toBe(`session-${id.slice(0, 8)}.jsonl`);
  expect((await readFile(file, 'utf8')).split('\n')[0]).toContain('"type":"session"');
  await console.goTo('/');
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), console.button('Import').click()]);
  await chooser.setFiles({
    name: 'session.jsonl',
    mimeType: 'application/jsonl',
    buffer: await readFile(file),
  });

  await console.heading('To keep').waitFor();
  await eventually(() => console.sessionId).not.toBe(id);
  await eventually(() => console.said()).toEqual(said);
  await console.prompt('and now?');
  await console.answers().filter({ hasText: 'You said: "and now?"' }).waitFor();
});

test('a file that is no export is refused with the reason', async () => {
  const { url } = await startDemo();
  const console = await ConsolePage.open(url, { expectedErrors: [/status of 4\d\d/] });
  const { page } = console;

  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), console.button('Import').click()]);
  await chooser.setFiles({
    name: 'x.jsonl',
    mimeType: 'application/jsonl',
    buffer: Buffer.from('no export'),
  });

  await page.getByRole('alert').filter({ hasText: 'The file was not imported' }).waitFor();
});

test('a session that is deleted elsewhere says so, and leads back', async () => {
  const { url, createSession } = await startDemo();
  const id = await createSession({ ...CHAT, name: 'Short' });
  const console = await ConsolePage.open(url, {
    path: `/sessions/${id}`,
    expectedErrors: [/status of 404/],
  });
  await console.page.getByText('Live', { exact: true }).waitFor();

  await call('DELETE', `${url}/api/sessions/${id}`);

  await console.page.getByRole('alert').waitFor();
  await console.page.reload();
  await console.heading('This session is not here').waitFor();
  await console.link('All sessions').click();
  await console.heading('Sessions').waitFor();
});
