import { expect, test } from 'vitest';
import { CHAT, startScripted } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';
import { HOSTILE, HUGE, LONG } from './hostile-text.ts';

useConsole();

const ran = (console: ConsolePage) =>
  console.page.evaluate(() => (globalThis as { ran?: string }).ran ?? null);
/** Nothing is wider than the page. */
const overflow = (console: ConsolePage) =>
  console.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('check 31: what a hostile model says runs nothing, loads nothing and links to nothing that runs', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession({ ...CHAT, name: `<img src=x onerror="globalThis.ran='name'">` });
  models.script(
    { steps: [{ reasoning: HOSTILE }, { text: HOSTILE }] },
    {
      steps: [{ toolCalls: [{ name: 'send_mail', arguments: { to: HOSTILE, subject: HOSTILE } }] }],
    },
    { status: 400, error: { message: HOSTILE } },
    { steps: [{ text: 'A friendly answer.' }] },
  );
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });

  await console.prompt(HOSTILE);
  await console.answers().filter({ hasText: 'The end of it.' }).waitFor();
  await console.settled();
  await console.button('Reasoning').click();
  const answer = console.answers().first();
  await eventually(() => answer.getByText('The end of it.').count()).toBe(2);
  await eventually(() => answer.getByRole('region', { name: 'Code, html' }).count()).toBe(2);

  await console.prompt('now with a tool');
  const approval = console.dialog('Approval needed');
  expect(await approval.getByRole('region', { name: 'Arguments' }).textContent()).toContain('onerror');
  await approval.getByRole('button', { name: 'Deny' }).click();
  await console.page.getByRole('alert').waitFor();
  await console.tab('Timeline');
  await console.page.getByRole('option').last().click();
  await console.page.getByRole('region', { name: 'Raw JSON' }).waitFor();
  await console.tab('Conversation');
  await answer.waitFor();

  const article = console.page.getByRole('article');
  expect(
    await article.locator('script, img, svg[onload], iframe, form, style, link, meta, object').count(),
  ).toBe(0);
  const hrefs = await article
    .getByRole('link')
    .evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).protocol));
  expect(new Set(hrefs)).toEqual(new Set(['http:']));
  const rels = await article
    .getByRole('link')
    .evaluateAll((links) => links.map((link) => link.getAttribute('rel')));
  expect(rels.every((rel) => rel?.includes('noopener') && rel.includes('noreferrer'))).toBe(true);
  expect(await ran(console)).toBeNull();

  await console.prompt('and now in peace');
  await console.answers().filter({ hasText: 'A friendly answer.' }).waitFor();
  await console.goTo('/');
  await console
    .link(/onerror/)
    .first()
    .waitFor();
  expect(await ran(console)).toBeNull();
});

test('check 31: a link shows where it leads, whatever its text says', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.script({
    steps: [
      {
        text: '[https://bank.example](https://thief.example/login) \u202emoc.knab\u202c [x](https://bank.example@thief.example)',
      },
    ],
  });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });

  await console.prompt('Where is my bank?');
  await console.settled();

  const links = console.answers().getByRole('link');
  await eventually(() => links.count()).toBe(2);
  expect(await links.first().textContent()).toBe('https://bank.example (thief.example/login)');
  expect(await links.last().textContent()).toContain('thief.example');
});

test('check 31: a megabyte, and a line that cannot be broken, leave the page usable', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.script(
    { burst: true, steps: [{ text: HUGE }] },
    { burst: true, steps: [{ text: LONG }] },
    { burst: true, steps: [{ text: `\`\`\`\n${LONG}\n\`\`\`` }] },
    { steps: [{ text: 'A short one.' }] },
  );
  const console = await ConsolePage.open(url, {
    path: `/sessions/${id}`,
    viewport: { width: 390, height: 800 },
  });

  await console.prompt('Write a lot');
  await console.button(/^Show all 1(\.\d)?M characters$/).waitFor();
  await console.settled();
  expect((await console.said()).at(-1)?.[1].length).toBeLessThan(100_000);
  for (const words of ['In one line', 'As code']) {
    await console.prompt(words);
    await console
      .button(/^Show all/)
      .nth(words === 'As code' ? 2 : 1)
      .waitFor();
    await console.settled();
    expect(await overflow(console)).toBeLessThanOrEqual(0);
  }
  await console.prompt('And now briefly');
  await console.answers().filter({ hasText: 'A short one.' }).waitFor();
  await console.page.reload();
  await console.answers().filter({ hasText: 'A short one.' }).waitFor();
  expect(await overflow(console)).toBeLessThanOrEqual(0);
  // So much does not come in one page.
  await eventually(async () => {
    const older = console.button('Load older messages');
    if ((await older.count()) > 0) await older.click();
    return console.page.getByText('Write a lot').count();
  }).toBe(1);
  expect(await console.said()).toHaveLength(8);
});
