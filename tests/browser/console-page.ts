/** The console in a browser, as people use it: what is on it is found by its role and its name, never by how it is built. */
import type { Locator, Page } from 'playwright-core';
import { beforeAll, expect, onTestFinished, vi } from 'vitest';
import { openPage, type PageOptions, screenshot } from '../helpers/browser.ts';
import { builtFrontEnd } from '../helpers/front-end.ts';

/** Before the first test of a file: the console of the sources as they are, and room for a machine that does much else. */
export function useConsole(): void {
  vi.setConfig({ testTimeout: 120_000 });
  beforeAll(() => builtFrontEnd('console'), 240_000);
}

const POLL = { timeout: 60_000, interval: 50 };

/** Waits until it holds, for as long as a busy machine may need. */
export function eventually<T>(look: () => T | Promise<T>) {
  return expect.poll(look, POLL);
}

export interface ConsoleOptions extends PageOptions {
  /** Below `/console`. */
  readonly path?: string;
}

/** One message as a reader sees it. */
export type Said = readonly [who: string, text: string];

export class ConsolePage {
  readonly page: Page;
  readonly url: string;

  constructor(page: Page, url: string) {
    this.page = page;
    this.url = url;
  }

  /** A visitor of the server at this address. A request to any other address fails the test. */
  static async open(url: string, { path = '/', ...options }: ConsoleOptions = {}): Promise<ConsolePage> {
    const page = await openPage({
      viewport: { width: 1280, height: 800 },
      reducedMotion: 'reduce',
      ...options,
    });
    const opened = new ConsolePage(page, url);
    opened.#watch(page);
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') await screenshot(page, `failed-${task.id}`);
    });
    await opened.goTo(path);
    return opened;
  }

  /** Another tab of the same visitor. */
  async newTab(path: string): Promise<ConsolePage> {
    const tab = new ConsolePage(await this.page.context().newPage(), this.url);
    tab.#watch(tab.page);
    await tab.goTo(path);
    return tab;
  }

  async goTo(path: string): Promise<void> {
    await this.page.goto(`${this.url}/console${path}`);
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  link(name: string | RegExp): Locator {
    return this.page.getByRole('link', { name, exact: true });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { name, exact: true });
  }

  dialog(name: string | RegExp): Locator {
    return this.page.getByRole('dialog', { name });
  }

  tab(name: string): Promise<void> {
    return this.page.getByRole('tab', { name }).click();
  }

  async menu(item: string): Promise<void> {
    await this.button('More actions').click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  async prompt(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
    // What is sent leaves the field.
    await eventually(() => this.field.inputValue()).toBe('');
  }

  answers(): Locator {
    return this.page.getByRole('article', { name: 'Assistant said' });
  }

  /** All messages, without what stands below each: when it was, and what can be done with it. */
  said(): Promise<Said[]> {
    return this.page.getByRole('article').evaluateAll((articles) =>
      articles.map((article) => {
        const copy = article.cloneNode(true) as Element;
        for (const footer of copy.querySelectorAll('footer')) footer.remove();
        const who = article.getAttribute('aria-label')?.replace(' said', '') ?? '';
        // Only who saw a tool end knows how long it took.
        const text = (copy.textContent ?? '').replace(/ · [\d.]+ m?s/g, '');
        return [who, text.trim()] as const;
      }),
    );
  }

  /** The id of the session that is shown. */
  get sessionId(): string {
    return /sessions\/([0-9a-f-]{36})/.exec(this.page.url())?.[1] ?? '';
  }

  /** The run of this session is over, and nothing is asked. */
  async settled(): Promise<void> {
    await this.button('Stop the answer').waitFor({ state: 'detached' });
  }

  focused(): Promise<string> {
    return this.page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
    });
  }

  #watch(page: Page): void {
    const elsewhere: string[] = [];
    const note = (address: string) => {
      const { origin, protocol } = new URL(address.replace(/^ws/, 'http'));
      if (protocol !== 'blob:' && protocol !== 'data:' && origin !== this.url) elsewhere.push(address);
    };
    page.on('request', (request) => note(request.url()));
    page.on('websocket', (socket) => note(socket.url()));
    page.on('popup', (popup) => elsewhere.push(`a window of ${popup.url()}`));
    onTestFinished(() => expect(elsewhere).toEqual([]));
  }
}
