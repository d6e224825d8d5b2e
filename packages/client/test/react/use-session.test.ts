import { fileURLToPath } from 'node:url';
import type { Page, WebSocket } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { openPage } from '../../../../tests/helpers/browser.ts';
import { bundle, servePages } from '../../../../tests/helpers/page-server.ts';
import { useSession } from '../../src/react/index.ts';
import { testClient } from '../helpers.ts';

const SCRIPT = await bundle(fileURLToPath(new URL('page.ts', import.meta.url)));
const HTML = '<!doctype html><div id="root"></div><script type="module" src="/page.js"></script>';

async function start() {
  const app = await startApp();
  const create = () => app.createSession({ engine_type: 'ToolChatEngine' });
  const [one, another] = await Promise.all([create(), create()]);
  const pages = await servePages({ '/': HTML, '/page.js': SCRIPT });
  const page = await openPage();
  const sockets: WebSocket[] = [];
  page.on('websocket', (socket) => void sockets.push(socket));
  await page.goto(`${pages}/?server=${app.url}`);
  await page.waitForFunction(() => 'show' in globalThis);
  return { ...app, page, one, another, open: () => sockets.filter((socket) => !socket.isClosed()).length };
}

async function show(page: Page, ...ids: string[]) {
  await page.evaluate((list) => (globalThis as never as { show(ids: string[]): void }).show(list), ids);
  for (const [i, id] of ids.entries()) {
    const ready = `[data-session="${id}"][data-status="ready"][data-connection="open"]`;
    await page.locator(`section:nth-of-type(${i + 1})${ready}`).waitFor();
  }
}

const ANSWERED = [
  'user: What is 6 * 7?',
  /^assistant: .*tool_call$/,
  'tool: tool_result',
  /^assistant: .*42/,
];

test('a component shows the conversation as it goes on, each message once, and is done with the end of the run', async () => {
  const { page, one } = await start();

  await show(page, one);
  await page.getByText('say').click();

  await page.getByText('completed').waitFor();
  const lines = await page.locator('li').allTextContents();
  expect(lines).toHaveLength(ANSWERED.length);
  for (const [i, line] of ANSWERED.entries()) expect(lines[i]).toMatch(line);
  expect(await page.locator('li[data-streaming="true"]').count()).toBe(0);
});

test('in strict mode one connection is left, and none when the component is gone', async () => {
  const { page, one, open } = await start();

  await show(page, one);
  await expect.poll(open).toBe(1);
  await show(page);
  await expect.poll(open).toBe(0);
});

test('two components of one session show the same', async () => {
  const { page, one } = await start();

  await show(page, one, one);
  await page.getByText('say').first().click();

  await expect.poll(() => page.getByText('completed').count()).toBe(2);
  const sections = await page.locator('ol').allTextContents();
  expect(sections[0]).toBe(sections[1]);
  expect(sections[0]).toContain('42');
});

test('another session in the same component shows nothing of the one before', async () => {
  const { page, one, another, open } = await start();
  await show(page, one);
  await page.getByText('say').click();
  await page.getByText('completed').waitFor();

  await show(page, another);
  expect(await page.locator('li').count()).toBe(0);
  await expect.poll(open).toBe(1);
  await show(page, one);
  expect(await page.locator('li').count()).toBe(ANSWERED.length);
});

test('sessions that are changed faster than they open leave one connection, of the last of them', async () => {
  const { page, one, another, open } = await start();
  await page.evaluate(
    async (ids) => {
      const { show: change, requestAnimationFrame: frame } = globalThis as never as {
        show(ids: readonly (string | undefined)[]): void;
        requestAnimationFrame(callback: (at: number) => void): void;
      };
      for (let n = 0; n < 30; n++) {
        change([ids[n % 2]]);
        if (n % 3 > 0) await new Promise(frame);
      }
    },
    [one, another],
  );
  await show(page, one);
  await expect.poll(open).toBe(1);
  await page.getByText('say').click();
  await page.getByText('completed').waitFor();
  expect(await page.locator('li').count()).toBe(ANSWERED.length);
});

test('on a server it renders what is not there yet, and connects to nothing', () => {
  const client = testClient('http://127.0.0.1:1');
  function Line() {
    const { status, messages, session } = useSession(client, 'b5d7c0de-0000-4000-8000-000000000000');
    return createElement('p', null, `${status} ${messages.length} ${session}`);
  }

  expect(renderToString(createElement(Line))).toBe('<p>loading 0 null</p>');
});
