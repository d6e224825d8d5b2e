import { expect, test } from 'vitest';
import { call } from '../helpers/rest.ts';
import { CHAT, messagesOf, startScripted } from './console-app.ts';
import { ConsolePage, eventually, useConsole } from './console-page.ts';

useConsole();

test('an answer of thousands of pieces is there as the server has it, and was readable while it grew', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const gate = models.gate();
  const words = Array.from({ length: 2000 }, (_, n) => ({ text: `word${n} ` }));
  models.script({ burst: true, steps: [...words.slice(0, 1000), { gate }, ...words.slice(1000)] });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });

  await console.prompt('A long story');
  await console.answers().filter({ hasText: 'word999' }).waitFor();
  gate.release();
  await console.settled();

  const said = await messagesOf(url, id);
  expect(said[1]?.[1]).toContain('word1999');
  await eventually(() => console.said()).toEqual(said.map(([who, text]) => [who, text.trim()]));
});

test('who reads further up is left there while the answer grows, and has a way back down', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const [first, second] = [models.gate(), models.gate()];
  const lines = (name: string) => Array.from({ length: 60 }, (_, n) => `${name} ${n}`).join('\n\n');
  models.script({
    steps: [
      { text: `${lines('begin')}\n\n` },
      { gate: first },
      { text: `${lines('middle')}\n\n` },
      { gate: second },
      { text: 'The end.' },
    ],
  });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  const { page } = console;
  const place = page.getByRole('region', { name: 'Messages' });
  const fromBottom = () => place.evaluate((at) => at.scrollHeight - at.scrollTop - at.clientHeight);
  await console.prompt('A long story');
  await page.getByText('begin 59').waitFor();
  await eventually(fromBottom).toBeLessThan(2);

  await place.evaluate((at) => at.scrollTo(0, 100));
  await console.button('Go to the newest message').waitFor();
  first.release();
  await console.answers().filter({ hasText: 'middle 59' }).waitFor();
  expect(await place.evaluate((at) => at.scrollTop)).toBe(100);
  await console.button('Go to the newest message').click();
  await eventually(fromBottom).toBeLessThan(2);
  second.release();
  await page.getByText('The end.').waitFor();
  await eventually(fromBottom).toBeLessThan(2);
});

test('without a network the page says so, and has afterwards what happened meanwhile', async () => {
  const { url, createSession } = await startScripted();
  const id = await createSession(CHAT);
  const console = await ConsolePage.open(url, {
    path: `/sessions/${id}`,
    expectedErrors: [/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/],
  });
  const { page } = console;
  await page.getByText('Live', { exact: true }).waitFor();

  await page.context().setOffline(true);
  await page.getByText('This device has no network.').waitFor();
  await call('POST', `${url}/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'From elsewhere' },
  });
  await page.context().setOffline(false);

  await page.getByText('Live', { exact: true }).waitFor();
  await eventually(() => console.said()).toEqual([
    ['You', 'From elsewhere'],
    ['Assistant', 'Hello from the model server.'],
  ]);
});

test('what is written and not sent is still there after a reload, for its session only', async () => {
  const { url, createSession } = await startScripted();
  const [one, other] = [await createSession(CHAT), await createSession(CHAT)];
  const console = await ConsolePage.open(url, { path: `/sessions/${one}` });

  await console.field.fill('Half a thou');
  await console.page.reload();
  await eventually(() => console.field.inputValue()).toBe('Half a thou');
  await console.goTo(`/sessions/${other}`);
  await console.field.waitFor();

  expect(await console.field.inputValue()).toBe('');
});

test('a fork from the middle has what was said until then', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession({ ...CHAT, name: 'Story' });
  models.respond = ({ body }) => ({
    steps: [{ text: `Answer to ${String(body.messages.at(-1)?.content)}` }],
  });
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });
  for (const text of ['one', 'two', 'three']) {
    await console.prompt(text);
    await console
      .answers()
      .filter({ hasText: `Answer to ${text}` })
      .waitFor();
    await console.settled();
  }

  await console.button('Fork the session from here').nth(1).click();

  await console.heading('Story (fork)').waitFor();
  await eventually(() => console.sessionId).not.toBe(id);
  await eventually(() => console.said()).toEqual([
    ['You', 'one'],
    ['Assistant', 'Answer to one'],
    ['You', 'two'],
    ['Assistant', 'Answer to two'],
  ]);
  expect(await messagesOf(url, console.sessionId)).toEqual(await console.said());
});

test('a run that fails says why, and the conversation goes on', async () => {
  const { url, models, createSession } = await startScripted();
  const id = await createSession(CHAT);
  models.script(
    { status: 400, error: { message: 'The context is too long.' } },
    { steps: [{ text: 'Better.' }] },
  );
  const console = await ConsolePage.open(url, { path: `/sessions/${id}` });

  await console.prompt('Too much');
  await console.page.getByRole('alert').filter({ hasText: 'The context is too long.' }).waitFor();
  await console.prompt('Less');
  await console.answers().filter({ hasText: 'Better.' }).waitFor();
});

test('the colours that somebody chose are kept', async () => {
  const { url, createSession } = await startScripted();
  await createSession();
  const console = await ConsolePage.open(url, { colorScheme: 'light' });
  const { page } = console;
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();

  await console.button('Colours: as the system; change').click();
  await console.button('Colours: light; change').click();
  await console.button('Colours: dark; change').waitFor();
  await eventually(ground).not.toBe(light);
  const dark = await ground();
  await page.reload();

  await console.button('Colours: dark; change').waitFor();
  expect(await ground()).toBe(dark);
});
