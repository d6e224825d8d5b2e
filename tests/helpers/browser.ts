import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import { type BrowserContext, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, onTestFinished } from 'vitest';

const SYSTEM_CHROMIUM = '/usr/bin/chromium';
const SCREENSHOTS = fileURLToPath(new URL('../../artifacts/screenshots/', import.meta.url));
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

type ContextOptions = NonNullable<
  Parameters<NonNullable<ReturnType<BrowserContext['browser']>>['newContext']>[0]
>;

export interface PageOptions extends ContextOptions {
  /** Errors on the page and its console that do not fail the test. */
  readonly expectedErrors?: readonly RegExp[];
}

let running: Promise<BrowserContext> | null = null;

/** A page of a visitor of its own. What goes wrong on it fails the test, unless it is expected. */
export async function openPage({ expectedErrors = [], ...options }: PageOptions = {}): Promise<Page> {
  running ??= launch();
  const browser = (await running).browser();
  if (!browser) throw new Error('The browser is gone');
  const context = await browser.newContext(options);
  const errors: string[] = [];
  const note = (text: string) => {
    if (!expectedErrors.some((expected) => expected.test(text))) errors.push(text);
  };
  onTestFinished(async () => {
    await context.close();
    if (errors.length > 0) throw new Error(`On the page: ${errors.join('\n')}`);
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => note(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') note(message.text());
  });
  return page;
}

/** Keeps what the page looks like; resolves with the path of the file. */
export async function screenshot(page: Page, name: string): Promise<string> {
  await mkdir(SCREENSHOTS, { recursive: true });
  const path = join(SCREENSHOTS, `${name}.png`);
  await page.screenshot({ path });
  return path;
}

/** One browser for a file of tests, with nothing that another one has left. */
async function launch(): Promise<BrowserContext> {
  const folder = await mkdtemp(join(tmpdir(), 'llmgine-chromium-'));
  const context = await playwright.launchPersistentContext(folder, {
    executablePath: await executablePath(),
    args: ARGS,
    headless: true,
  });
  endings.push(async () => {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  });
  return context;
}

const endings: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0)) await end();
});

async function executablePath(): Promise<string> {
  const named = process.env.LLMGINE_TEST_CHROMIUM;
  if (named !== undefined) return named;
  return existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : chromium.executablePath();
}
