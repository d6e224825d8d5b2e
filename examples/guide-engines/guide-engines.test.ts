/** The code of docs/guide/engines.md does what the guide says. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runCommand, scriptedModel, testApp } from '@llmgine/api/testing';
import { expect, onTestFinished, test } from 'vitest';
import { tempDir } from '../../tests/helpers/app.ts';
import { startTestModels } from '../../tests/helpers/model-app.ts';
import { call } from '../../tests/helpers/rest.ts';
import { Bank } from './bank.ts';
import { createShop } from './shop.ts';

const CONDITIONS = '--conditions=@llmgine/source';

async function startShop(bank?: Bank, config = {}) {
  const app = await testApp({ apiFactory: createShop(bank), config });
  onTestFinished(() => app.close());
  return app;
}

test('the greeting engine greets', async () => {
  const app = await startShop();

  const { result } = await runCommand(app, {
    engine: 'GreetingEngine',
    engineConfig: { greeting: 'Good day' },
    prompt: 'Ada',
  });

  expect(result).toEqual({ text: 'Good day, Ada!' });
});

test('the letter engine writes, and remembers the conversation', async () => {
  const model = scriptedModel(['Dear Ada', 'It was about o-1']);
  await using app = await testApp({ apiFactory: createShop(), models: [model] });

  const { sessionId, events } = await runCommand(app, {
    engine: 'LetterEngine',
    command: 'letter',
    parameters: { order: 'o-1', about: 'it is late' },
  });
  const second = await runCommand(app, { sessionId, prompt: 'What was it about?' });

  expect(events).toContainEqual(
    expect.objectContaining({ event_type: 'status', payload: { text: 'Writing about order o-1' } }),
  );
  expect(second.result).toMatchObject({ text: 'It was about o-1' });
  expect(JSON.stringify(model.requests[1]?.messages)).toContain('Dear Ada');
});

test('the tools: a look-up, an approval by size, a client, a form', async () => {
  const app = await startShop();
  const asked: string[] = [];
  const ask = async (prompt: string) => {
    const { result } = await runCommand(app, {
      engine: 'ToolChatEngine',
      prompt,
      answer: ({ kind }) => {
        asked.push(kind);
        if (kind === 'approval') return { outcome: 'approved' };
        const value =
          kind === 'form'
            ? { street: 'Main Street 1', city: 'Oslo' }
            : { url: 'https://example.com/photo.jpg' };
        return { outcome: 'submitted', value };
      },
    });
    return (result as { text: string }).text;
  };

  expect(await ask('call find_order {"order": "o-1"}')).toContain('lamp');
  expect(await ask('call find_order {"order": "o-9"}')).toContain('there is no order');
  expect(await ask('call refund {"order": "o-2", "euros": 2}')).toContain('refunded');
  expect(asked).toEqual([]);
  expect(await ask('call refund {"order": "o-1", "euros": 50}')).toContain('refunded');
  expect(await ask('call take_photo {"of": "the lamp"}')).toContain('photo.jpg');
  expect(await ask('call ask_address {"article": "lamp"}')).toContain('Oslo');
  expect(asked).toEqual(['approval', 'client_tool', 'form']);
});

test('the billing engine charges once, although the server stops between the payment and its record', async () => {
  const databaseUrl = `sqlite:${join(await tempDir(), 'shop.db')}`;
  const bank = new Bank();
  const paid = Promise.withResolvers<void>();
  const attempts: number[] = [];
  bank.onPaid = async () => {
    attempts.push(bank.payments.size);
    paid.resolve();
    if (attempts.length === 1) await new Promise(() => {});
  };
  const before = await startShop(bank, { databaseUrl });
  const { body: session } = await call('POST', `${before.url}/api/sessions`, {
    engine_type: 'BillingEngine',
  });
  const commands = (url: string) => `${url}/api/sessions/${session.session_id}/commands`;
  const charge = { command: 'charge', parameters: { euros: 9 } };
  const { body: asked } = await call('POST', commands(before.url), charge);
  const request = `${before.url}/api/sessions/${session.session_id}/requests/${asked.request_id}`;
  await call('POST', request, { outcome: 'approved' });
  await paid.promise;
  await before.close();

  const after = await startShop(bank, { databaseUrl });
  const ended = await call('POST', commands(after.url), { ...charge, run_id: asked.run_id });

  expect(ended.body).toMatchObject({ status: 'completed', result: { charged: 9 } });
  expect(attempts).toEqual([1, 1]);
  expect([...bank.payments.values()]).toEqual([9]);
});

test('a charge that nobody wants is none', async () => {
  const bank = new Bank();
  const app = await startShop(bank);

  const { result } = await runCommand(app, {
    engine: 'BillingEngine',
    command: 'charge',
    parameters: { euros: 9 },
    answer: () => ({ outcome: 'denied' }),
  });

  expect(result).toEqual({ charged: 0 });
  expect(bank.payments.size).toBe(0);
});

test.each(['hello.ts', 'main.ts'])('%s starts, and says where it is', async (program) => {
  const cwd = await tempDir();
  const shop = spawn(process.execPath, [CONDITIONS, join(import.meta.dirname, program)], {
    cwd,
    env: { ...process.env, LLMGINE_API_PORT: '0', LLMGINE_API_MODEL: 'demo' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void shop.kill('SIGKILL'));

  let url: string | undefined;
  for await (const line of createInterface({ input: shop.stdout })) {
    url = /^(?:Hello|Shop) on (\S+)$/.exec(line)?.[1];
    if (url !== undefined) break;
  }
  const { body } = await call('GET', `${url}/api/engines`);
  shop.kill('SIGKILL');
  await once(shop, 'close');

  expect(JSON.stringify(body)).toContain('GreetingEngine');
});

/** Runs tests of the guide as its reader does. */
function nodeTest(file: string, cwd: string, env: Record<string, string> = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    const args = [CONDITIONS, '--test', '--test-reporter=tap', join(import.meta.dirname, file)];
    execFile(
      process.execPath,
      args,
      { cwd, env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error ? 1 : 0, output: stdout + stderr });
      },
    );
  });
}

test('the tests with a scripted model pass', async () => {
  const { code, output } = await nodeTest('refund-test.ts', await tempDir());

  expect(output).toMatch(/^# pass 2$/m);
  expect(code).toBe(0);
});

test('the recorded test passes with the real wire once, and then without it', async () => {
  const models = await startTestModels();
  models.script(
    { steps: [{ toolCalls: [{ name: 'find_order', arguments: { order: 'o-1' } }] }] },
    { steps: [{ text: 'A lamp.' }] },
  );
  const cwd = await tempDir();
  const key = 'sk-guide-0123456789abcdef';

  const missing = await nodeTest('recorded-test.ts', cwd);
  const recorded = await nodeTest('recorded-test.ts', cwd, {
    RECORD: '1',
    OPENAI_API_KEY: key,
    OPENAI_BASE_URL: models.baseUrl,
  });
  const asked = models.requests.length;
  const replayed = await nodeTest('recorded-test.ts', cwd);

  expect(missing.output).toContain('There is no recording recordings/order.jsonl');
  expect(recorded).toMatchObject({ code: 0, output: expect.stringMatching(/^# pass 1$/m) });
  expect(replayed).toMatchObject({ code: 0, output: expect.stringMatching(/^# pass 1$/m) });
  expect([asked, models.requests.length]).toEqual([2, 2]);
  expect(readFileSync(join(cwd, 'recordings/order.jsonl'), 'utf8')).not.toContain(key);
});
