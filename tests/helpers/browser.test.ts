import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openPage, screenshot } from './browser.ts';

test('a page runs scripts and shows text', async () => {
  const page = await openPage();
  await page.setContent('<h1>before</h1><script>document.querySelector("h1").textContent = "after"</script>');
  expect(await page.textContent('h1')).toBe('after');
  expect(await page.evaluate(() => typeof WebSocket)).toBe('function');
});

test('each page is a visitor of its own', async () => {
  const [one, another] = await Promise.all([openPage(), openPage()]);
  await one.context().addCookies([{ name: 'seen', value: 'yes', url: 'http://127.0.0.1/' }]);
  expect(await one.context().cookies()).toHaveLength(1);
  expect(await another.context().cookies()).toHaveLength(0);
});

test('screenshots are kept as files', async () => {
  const page = await openPage();
  await page.setContent('<p>a page</p>');
  const path = await screenshot(page, 'helper');
  expect((await readFile(path)).subarray(1, 4).toString()).toBe('PNG');
});

test.fails('an exception on the page fails its test', async () => {
  const page = await openPage();
  const seen = page.waitForEvent('pageerror');
  await page.setContent('<script>throw new Error("on the page")</script>');
  await seen;
});

test.fails('an error on the console of the page fails its test', async () => {
  const page = await openPage();
  const seen = page.waitForEvent('console');
  await page.setContent('<script>console.error("on the page")</script>');
  await seen;
});

test('an expected error does not fail its test', async () => {
  const page = await openPage({ expectedErrors: [/on the page/] });
  const seen = page.waitForEvent('console');
  await page.setContent('<script>console.error("on the page")</script>');
  await seen;
});
