import { expect, test } from 'vitest';
import { startScripted } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

/** Goes on with Tab until this is what has the focus, and sees that each stop on the way is visible. */
async function tabTo(console: ConsolePage, name: string | RegExp): Promise<void> {
  const { page } = console;
  const stops: string[] = [];
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Tab');
    // Between the end of the page and its beginning.
    if (await page.evaluate(() => document.activeElement === document.body)) continue;
    const stop = await console.focused();
    expect(await showsFocus(console), `the focus on ${JSON.stringify(stop)} is seen`).toBe(true);
    stops.push(stop);
    if (typeof name === 'string' ? stop === name : name.test(stop)) return;
  }
  throw new Error(`Tab does not lead to ${name}, but to ${stops.join(', ')}`);
}

/** By an outline, or a ring or a border of whatever holds it. */
function showsFocus(console: ConsolePage): Promise<boolean> {
  return console.page.evaluate(() => {
    const at = document.activeElement;
    if (!at?.matches(':focus-visible')) return false;
    const isSeen = (element: Element) => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
    };
    // A field may leave it to the frame around it.
    const isField = at.matches('input, textarea');
    const accent = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim();
    return isSeen(at) || (isField && accent !== '' && at.closest('form, div') !== null);
  });
}

test('without a mouse: a session, a prompt, an approval, a stop, a fork', async () => {
  const { url, models } = await startScripted();
  const gate = models.gate();
  models.script(
    { steps: [{ toolCalls: [{ name: 'send_mail', arguments: { to: 'ann@example.com', subject: 'Hi' } }] }] },
    { steps: [{ text: 'It is sent.' }] },
    { steps: [{ text: 'It takes ' }, { gate }, { text: 'for ever.' }] },
  );
  const console = await ConsolePage.open(url);
  const { page } = console;
  await console.button('Start a session').waitFor();

  await page.keyboard.press('n');
  await eventually(() =>
    page.getByRole('textbox', { name: 'Name' }).evaluate((field) => field === document.activeElement),
  ).toBe(true);
  await page.keyboard.type('By hand');
  await page.keyboard.press('Enter');
  await console.heading('By hand').waitFor();

  await eventually(() => console.focused()).toBe('Message');
  await page.keyboard.type('Write to Ann');
  await page.keyboard.press('Enter');
  const approval = console.dialog('Approval needed');
  await approval.waitFor();
  // Neither button of the dialog: who was typing has not answered with the next key.
  await eventually(() => console.focused()).toBe('Close');
  // The focus stays in the dialog.
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press('Tab');
    expect(await approval.evaluate((dialog) => dialog.contains(document.activeElement))).toBe(true);
  }
  await page.keyboard.press('Escape');
  await approval.waitFor({ state: 'detached' });
  await eventually(() => console.focused()).toBe('Message');
  await page.keyboard.press('Escape');
  await tabTo(console, 'Answer');
  await page.keyboard.press('Enter');
  await approval.waitFor();
  await eventually(() => console.focused()).toBe('Close');
  await tabTo(console, 'Approve');
  await page.keyboard.press('Enter');
  await console.answers().filter({ hasText: 'It is sent.' }).waitFor();
  await console.settled();

  await page.keyboard.press('c');
  await eventually(() => console.focused()).toBe('Message');
  await page.keyboard.type('Take your time');
  await page.keyboard.press('Enter');
  await console.answers().filter({ hasText: 'It takes' }).waitFor();
  await page.keyboard.press('Control+.');
  await page.getByText('Stopped', { exact: true }).waitFor();
  await console.settled();

  const parent = console.sessionId;
  await tabTo(console, 'More actions');
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Fork' }).waitFor();
  // The menu takes the focus when it has opened, and its last item leads to the first.
  await eventually(async () => {
    await page.keyboard.press('ArrowDown');
    return console.focused();
  }).toBe('Fork');
  await page.keyboard.press('Enter');
  await eventually(() => console.sessionId).not.toBe(parent);
});

test('the focus is back where it was when a dialog is closed, and the keys of the page mean nothing in it', async () => {
  const { url, createSession } = await startScripted();
  const id = await createSession({ engine_type: 'ToolChatEngine', name: 'Keys' });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const { page } = console;
  await page.getByText('Live', { exact: true }).waitFor();

  for (const [opener, dialog] of [
    ['New session', 'New session'],
    ['Keyboard shortcuts', 'Keyboard shortcuts'],
    ['Engine of the session: ToolChatEngine', 'Engine'],
  ] as const) {
    await tabTo(console, opener === 'New session' ? /^New session/ : opener);
    const before = await console.focused();
    await page.keyboard.press('Enter');
    await console.dialog(dialog).waitFor();
    await page.keyboard.press('Escape');
    await console.dialog(dialog).waitFor({ state: 'detached' });
    await eventually(() => console.focused()).toBe(before);
  }

  await page.keyboard.press('e');
  await console.dialog('Engine').waitFor();
  await page.keyboard.press('2');
  await page.keyboard.press('Escape');
  await console.dialog('Engine').waitFor({ state: 'detached' });
  expect(page.url()).not.toContain('timeline');
  await page.keyboard.press('2');
  await eventually(() => page.url()).toContain('/timeline');
  await page.keyboard.press('3');
  await eventually(() => page.url()).toContain('/runs');
  await page.keyboard.press('1');
  await console.field.waitFor();
  await page.keyboard.press('/');
  await eventually(() => console.focused()).toMatch(/^Search/);
});

test('the first stop of the keyboard leads past the navigation', async () => {
  const { url } = await startScripted();
  const console = await ConsolePage.open(url);
  const { page } = console;
  await console.button('Start a session').waitFor();

  await page.keyboard.press('Tab');
  expect(await console.focused()).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');

  expect(await page.getByRole('main').evaluate((main) => main.contains(document.activeElement))).toBe(true);
});
