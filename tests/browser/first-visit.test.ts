import { expect, test } from 'vitest';
import { mailFactory, startDemo } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('a first visit: one click, a prompt, a tool, an approval, a form, and a fork that goes on by itself', async () => {
  const sent: object[] = [];
  const { url } = await startDemo({ apiFactory: mailFactory(sent) });
  const console = await ConsolePage.open(url);

  await console.button('Start a session').click();
  await console.button('Engine of the session: ToolChatEngine').waitFor();
  await eventually(() => console.focused()).toBe('Message');
  await console.prompt('hello there');
  await console.answers().filter({ hasText: 'You said: "hello there"' }).waitFor();

  await console.prompt('what is 2 * (3 + 4)?');
  const card = console.page.getByRole('button', { name: /^calculate/ });
  await card.filter({ hasText: /done · \d+ ms|done · [\d.]+ s/ }).click();
  await eventually(() =>
    console.page.getByRole('region', { name: 'Arguments of calculate' }).textContent(),
  ).toContain('"expression": "2 * (3 + 4)"');
  await eventually(() =>
    console.page.getByRole('region', { name: 'Result of calculate' }).textContent(),
  ).toContain('14');
  await console.answers().filter({ hasText: '2 * (3 + 4) is 14' }).waitFor();
  await card.click();

  await console.prompt('call send_mail {"to": "ann@example.com", "subject": "Hi"}');
  const approval = console.dialog('Approval needed');
  await approval.waitFor();
  expect(await approval.getByRole('region', { name: 'Arguments' }).textContent()).toContain(
    'ann@example.com',
  );
  expect(sent).toEqual([]);
  await approval.getByRole('button', { name: 'Approve' }).click();
  await approval.waitFor({ state: 'detached' });
  await eventually(() => sent).toEqual([{ to: 'ann@example.com', subject: 'Hi' }]);
  await console.settled();

  await console.prompt('ask me for my name and my age');
  const form = console.dialog('Your answer is needed');
  await form.getByRole('textbox', { name: 'name' }).fill('Ada');
  await form.getByRole('textbox', { name: 'age' }).fill('36');
  await form.getByRole('button', { name: 'Submit' }).click();
  await form.waitFor({ state: 'detached' });
  await console.answers().filter({ hasText: 'Ada' }).last().waitFor();
  await console.settled();

  const [parent, before] = [console.sessionId, await console.said()];
  await console.menu('Fork');
  await eventually(() => console.sessionId).not.toBe(parent);
  await eventually(() => console.said()).toEqual(before);
  await console.prompt('only in the fork');
  await console.answers().filter({ hasText: 'You said: "only in the fork"' }).waitFor();
  await console.link(`Fork of ${parent.slice(0, 8)}`).click();
  await eventually(() => console.sessionId).toBe(parent);
  await eventually(() => console.said()).toEqual(before);
});
