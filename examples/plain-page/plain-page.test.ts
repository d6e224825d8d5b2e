import { readFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openPage, screenshot } from '../../tests/helpers/browser.ts';
import { builtFrontEnd } from '../../tests/helpers/front-end.ts';
import { createPageApp } from './app.ts';

async function start() {
  await builtFrontEnd('client');
  const app = await createPageApp({
    host: '127.0.0.1',
    port: 0,
    databaseUrl: ':memory:',
    logLevel: 'silent',
    model: 'demo:fast',
    shutdownGrace: 0,
  });
  onTestFinished(() => app.close());
  const { url } = await app.listen();
  const page = await openPage();
  await page.goto(`${url}/chat`);
  await page.locator('#connection', { hasText: 'open' }).waitFor();
  return page;
}

test('a prompt is answered on the page, and is still there after a reload', async () => {
  const page = await start();

  await page.getByLabel('Your message').fill('What is 6 * 7?');
  await page.getByText('Send').click();

  await page.locator('li', { hasText: /^assistant: .*42/ }).waitFor();
  const lines = await page.locator('li').allTextContents();
  expect(lines[0]).toBe('user: What is 6 * 7?');
  await screenshot(page, 'plain-page');
  await page.reload();
  await page.locator('li', { hasText: /^assistant: .*42/ }).waitFor();
  expect(await page.locator('li').allTextContents()).toEqual(lines);
});

test('what looks like HTML is text', async () => {
  const page = await start();

  await page.getByLabel('Your message').fill('<img src=x onerror="document.title = 1">');
  await page.getByText('Send').click();

  await page.locator('li', { hasText: 'assistant' }).waitFor();
  expect(await page.locator('li').first().textContent()).toContain('<img src=x');
  expect(await page.locator('li img').count()).toBe(0);
  expect(await page.title()).toBe('A conversation');
});

test('the script has some thirty lines', async () => {
  const script = await readFile(new URL('chat.js', import.meta.url), 'utf8');
  expect(script.split('\n').filter((line) => /\S/.test(line)).length).toBeLessThanOrEqual(32);
});
