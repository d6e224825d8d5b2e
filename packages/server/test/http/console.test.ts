import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { registerClientFile } from '../../src/http/routes/client-file.ts';
import { registerConsole } from '../../src/http/routes/console.ts';
import { createHttpServer } from '../../src/http/server.ts';

const PAGE =
  '<!doctype html><meta name="csp-nonce" content="__CSP_NONCE__"><script src="/console/assets/a-1.js"></script>';

/** A server whose console and client are these files. */
async function serve(files: Record<string, string>) {
  const folder = await tempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  // The application's own console is another one.
  const { app } = await startApp({ config: { console: false } });
  const http = await createHttpServer(app.services);
  onTestFinished(() => http.close());
  const config = { values: { console: true } } as never;
  await http.register(async (scope) => registerConsole(scope as never, { config }, folder));
  await http.register(async (scope) => registerClientFile(scope as never, folder), { prefix: '/built' });
  return { http, folder, get: (url: string, headers = {}) => http.inject({ url, headers }) };
}

test('the page has a nonce of its own in each answer, in its policy and in itself, and is not kept', async () => {
  const { get } = await serve({ 'index.html': PAGE });

  const [one, another] = await Promise.all([get('/console/'), get('/console/')]);

  for (const answer of [one, another]) {
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.headers.etag).toBeUndefined();
    const nonce = /content="([^"]{20,})"/.exec(answer.body)?.[1];
    expect(answer.headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}'`);
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self';");
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(answer.body).not.toContain('__CSP_NONCE__');
  }
  expect(one.body).not.toBe(another.body);
});

test('addresses of the page itself give the page, and without a slash it is elsewhere', async () => {
  const { get } = await serve({ 'index.html': PAGE });

  expect((await get('/console/sessions/0b1f')).body).toContain('csp-nonce');
  expect((await get('/console/sessions/?x=1.5')).body).toContain('csp-nonce');
  const byName = await get('/console/index.html');
  expect(byName.body).not.toContain('__CSP_NONCE__');
  expect(byName.headers['content-security-policy']).toContain("script-src 'self'");
  const moved = await get('/console?tab=1');
  expect([moved.statusCode, moved.headers.location]).toEqual([308, '/console/?tab=1']);
});

test('files with a hash in their name are kept for ever, others are asked for again', async () => {
  const { get, http } = await serve({ 'index.html': PAGE, 'assets/a-1.js': 'let a;', 'icon.svg': '<svg/>' });

  const hashed = await get('/console/assets/a-1.js');
  expect([hashed.statusCode, hashed.body]).toEqual([200, 'let a;']);
  expect(hashed.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect(hashed.headers['content-type']).toMatch(/javascript/);
  const icon = await get('/console/icon.svg');
  expect(icon.headers['cache-control']).toBe('public, max-age=0');
  const again = await get('/console/icon.svg', { 'if-none-match': icon.headers.etag });
  expect([again.statusCode, again.body]).toEqual([304, '']);
  const head = await http.inject({ method: 'HEAD', url: '/console/assets/a-1.js' });
  expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', '6']);
});

test('a compressed file that lies beside one is sent to those who take it', async () => {
  const { get } = await serve({
    'index.html': PAGE,
    'assets/a-1.js': 'let a;',
    'assets/a-1.js.br': 'packed',
  });

  const packed = await get('/console/assets/a-1.js', { 'accept-encoding': 'gzip, br' });
  expect([packed.body, packed.headers['content-encoding']]).toEqual(['packed', 'br']);
  expect((await get('/console/assets/a-1.js')).body).toBe('let a;');
});

test('the client can be had in part, packed, and by its head; caches keep what is packed apart', async () => {
  const { get, http, folder } = await serve({
    'browser.js': 'export const a = 1;',
    'browser.js.br': 'packed',
  });
  const url = '/built/client/llmgine.js';

  const part = await get(url, { range: 'bytes=0-5' });
  expect([part.statusCode, part.body]).toEqual([206, 'export']);
  const packed = await get(url, { 'accept-encoding': 'br' });
  expect([packed.body, packed.headers['content-encoding'], packed.headers.vary]).toEqual([
    'packed',
    'br',
    expect.stringContaining('accept-encoding'),
  ]);
  const head = await http.inject({ method: 'HEAD', url });
  expect([head.statusCode, head.body]).toEqual([200, '']);
  expect(head.headers['cache-control']).toBe('public, max-age=0');

  // After an update nobody goes on with the old one.
  await writeFile(join(folder, 'browser.js'), 'export const b = 22;');
  const updated = await get(url, { 'if-none-match': head.headers.etag });
  expect([updated.statusCode, updated.body]).toEqual([200, 'export const b = 22;']);
});

test.each([
  '/console/assets/gone-1.js',
  '/console/gone.svg',
  '/console/.sources',
  '/console/assets/..%2f..%2fsecret.txt',
  '/console/%2e%2e/secret.txt',
  '/console/assets/%2e%2e%5csecret.txt',
  '/console/assets/a.js%00',
])('%s is a problem that nobody keeps', async (url) => {
  const { get, folder } = await serve({ 'index.html': PAGE, '.sources': 'secret' });
  await writeFile(join(folder, '../secret.txt'), 'secret');

  const answer = await get(url);

  expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  expect(answer.statusCode).toBeLessThan(500);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.body).not.toContain('secret"');
});

test('what is not built says how to build it, and is there as soon as it is', async () => {
  const { get, folder } = await serve({});

  const missing = await get('/console/');
  expect(missing.statusCode).toBe(503);
  expect(missing.body).toContain('npm run build -w @llmgine/console');
  const client = await get('/built/client/llmgine.js');
  expect(client.statusCode).toBe(503);
  expect(client.body).toContain('npm run build -w @llmgine/client');

  await writeFile(join(folder, 'index.html'), PAGE);
  await writeFile(join(folder, 'browser.js'), 'export {};');
  expect((await get('/console/')).statusCode).toBe(200);
  const built = await get('/built/client/llmgine.js');
  expect([built.statusCode, built.body]).toEqual([200, 'export {};']);
  expect(built.headers['content-type']).toMatch(/^text\/javascript|^application\/javascript/);
});

test('pages of this machine may import the client, also without a credential; others may not', async () => {
  const { url } = await startApp({ config: { auth: 'required', key: 'a-key-of-the-test-itself' } });

  const answer = await fetch(`${url}/client/llmgine.js`, { headers: { origin: 'http://localhost:5173' } });
  expect(answer.status).not.toBe(401);
  expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  const foreign = await fetch(`${url}/client/llmgine.js`, { headers: { origin: 'https://evil.example' } });
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
});

test('the console can be switched off, and the root document says where it is', async () => {
  const on = await startApp();
  expect(await (await fetch(on.url)).json()).toMatchObject({ console: '/console/' });
  const off = await startApp({ config: { console: false } });
  expect(await (await fetch(off.url)).json()).not.toHaveProperty('console');
  expect((await fetch(`${off.url}/console/`)).status).toBe(404);
});
