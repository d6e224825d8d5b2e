/** A page in each way that people look at it: light and dark, wide and on a phone. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { screenshot } from '../helpers/browser.ts';

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 800 };

/** Each size and each scheme is looked into; what they have in common need not be again. */
const LOOKS = [
  { name: 'light', size: WIDE, colorScheme: 'light', isChecked: true },
  { name: 'dark', size: WIDE, colorScheme: 'dark', isChecked: true },
  { name: 'phone-dark', size: PHONE, colorScheme: 'dark', isChecked: true },
  { name: 'phone', size: PHONE, colorScheme: 'light', isChecked: false },
] as const;

/** Nothing on the page keeps anybody out, however it is looked at; keeps a picture of each look. */
export async function lookAt(page: Page, name: string): Promise<void> {
  for (const { name: look, size, colorScheme, isChecked } of LOOKS) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.waitForFunction(
      (scheme) => getComputedStyle(document.documentElement).colorScheme === scheme,
      colorScheme,
    );
    await still(page);
    await repaintIcons(page);
    await screenshot(page, `${name}-${look}`);
    if (isChecked) expect.soft(await complaints(page), `${name}, ${look}`).toEqual([]);
    expect.soft(await overflow(page), `${name}, ${look}: wider than the page`).toBe(0);
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
}

async function complaints(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}

function overflow(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return Math.max(0, scrollWidth - clientWidth);
  });
}

/** What moves has come to its end, except what moves for ever. */
async function still(page: Page): Promise<void> {
  await page.evaluate(async () => {
    // Two frames: what the new size brings about is laid out.
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    const ending = document
      .getAnimations()
      .filter(({ effect }) => Number.isFinite(Number(effect?.getComputedTiming().endTime ?? 0)));
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
}

/** Chromium leaves some of them in the colours of the look before. */
async function repaintIcons(page: Page): Promise<void> {
  await page.evaluate(() => {
    const icons = [...document.querySelectorAll('svg')];
    for (const icon of icons) icon.style.display = 'none';
    document.body.getBoundingClientRect();
    for (const icon of icons) icon.style.display = '';
  });
}
