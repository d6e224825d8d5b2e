/** That a real browser does with the cookie what the server counts on. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { openPage } from '../helpers/browser.ts';
import { person } from '../helpers/people.ts';

interface Call {
  readonly url: string;
  readonly method?: string;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

/** What a script on the page gets. */
function callFrom(page: Page, call: Call): Promise<{ status: number; body: Record<string, unknown> | null }> {
  return page.evaluate(async ({ url, method = 'GET', body, headers = {} }) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch(url, {
      method,
      credentials: 'include',
      headers: { ...json, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  }, call);
}

/** The first thing that happens to a socket that a script on the page opens. */
function socketFrom(page: Page, url: string): Promise<string> {
  return page.evaluate(
    (address) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(address, 'llmgine.v1');
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
      }),
    url,
  );
}

test('check 21: a browser keeps the cookie from scripts, sends it from pages of the server, and forgets it', async () => {
  const app = await startApp();
  const ann = await person(app);
  const sessionId = await ann.createSession();
  const page = await openPage();
  await page.goto(`${app.url}/docs`);

  const login = await callFrom(page, { url: '/api/auth/login', method: 'POST', body: { token: ann.key } });

  expect([login.status, login.body?.subject]).toEqual([200, ann.principalId]);
  expect(await page.evaluate('document.cookie')).toBe('');
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: '__Host-llmgine', secure: true, httpOnly: true, sameSite: 'Strict' });
  const asked = await callFrom(page, { url: '/api/auth/session' });
  expect(asked.body).toMatchObject({ subject: ann.principalId, credential: 'session' });
  expect(await socketFrom(page, app.wsUrl(sessionId))).toBe('open');
  const csrf = { 'x-csrf-token': String(login.body?.csrf_token) };
  expect((await callFrom(page, { url: '/api/sessions', method: 'POST', headers: csrf })).status).toBe(201);

  expect((await callFrom(page, { url: '/api/auth/logout', method: 'POST', headers: csrf })).status).toBe(204);

  expect(await page.context().cookies()).toEqual([]);
  expect((await callFrom(page, { url: '/api/auth/session' })).body).toMatchObject({ credential: 'none' });
});

test('check 21: a browser sends the cookie for no page of another site', async () => {
  const app = await startApp();
  const elsewhere = await startApp();
  const ann = await person(app);
  const sessionId = await ann.createSession();
  const page = await openPage({ bypassCSP: true });
  await page.goto(`${app.url}/docs`);
  await callFrom(page, { url: '/api/auth/login', method: 'POST', body: { token: ann.key } });
  // To a browser, a name and an address of the same machine are two sites.
  await page.goto(`${elsewhere.url.replace('127.0.0.1', 'localhost')}/docs`);

  const asked = await callFrom(page, { url: `${app.url}/api/auth/session` });

  expect(asked.body).toMatchObject({ credential: 'none', local: true });
  // The operator's socket finds nothing of Ann's: it is not hers that was opened.
  const seen = await page.evaluate(
    (address) =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(address, 'llmgine.v1');
        socket.onclose = ({ code }) => resolve(code);
      }),
    app.wsUrl(sessionId),
  );
  expect(seen).toBe(4004);
});
