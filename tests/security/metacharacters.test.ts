import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const HOSTILE = [
  `'; DROP TABLE sessions; --`,
  `" OR ""="`,
  `') UNION SELECT * FROM runs --`,
  "\\'); delete from events; --",
  '%_*?[a-z]',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what is sent.
  '$1 ${x} ?1 :name @p {{x}}',
  '$(id) `id` ; id | id && id > /tmp/x',
  '\u0000 NUL, \ud800 half a character, and 😀',
  '../../etc/passwd',
  "E'\\x41' $$quoted$$ /* comment */",
];

test.each(STORAGES)(
  'check 26 (ASVS 1.2.4): what stands in a string is data, wherever it is sent, on %s',
  async (_storage, data) => {
    const { url, wsUrl, createSession } = await startApp({
      config: await data(),
      apiFactory: testEngine(({ parameters }) => parameters.text as string),
    });
    const bystander = await createSession({ name: 'bystander' });
    const stored = (text: string) => text.toWellFormed();

    for (const text of HOSTILE) {
      const metadata = { key: text, [text]: 'value' };
      const id = await createSession({ engine_type: 'TestEngine', name: text, metadata });
      const session = `${url}/api/sessions/${id}`;
      const byValue = new URLSearchParams({ 'metadata.key': text });
      const byName = new URLSearchParams({ [`metadata.${text}`]: 'value' });
      const command = { command: 'act', parameters: { text } };
      const ran = await call('POST', `${session}/commands`, command);
      const published = { event_type: 'custom:said', payload: { text, [text]: 1 }, event_id: text };

      expect(ran.body, text).toMatchObject({ status: 'completed' });
      expect(stored(ran.body.result), text).toBe(stored(text));
      expect(stored((await call('GET', session)).body.name), text).toBe(stored(text));
      for (const query of [byValue, byName]) {
        const { status, body } = await call('GET', `${url}/api/sessions?${query}`);
        expect(
          [status, body.sessions?.map((found: { session_id: string }) => found.session_id)],
          text,
        ).toEqual(text === text.toWellFormed() ? [200, [id]] : [200, expect.any(Array)]);
      }
      for (const path of [
        `runs/${encodeURIComponent(stored(text))}`,
        `requests/${encodeURIComponent(stored(text))}`,
      ]) {
        expect((await call('GET', `${session}/${path}`)).status, text).toBeLessThan(500);
      }
      for (const query of ['cursor', 'after', 'status', 'limit']) {
        const answer = await call('GET', `${session}/runs?${new URLSearchParams({ [query]: stored(text) })}`);
        expect(answer.status, text).toBeLessThan(500);
      }
      const socket = await TestSocket.open(wsUrl(id));
      expect((await socket.request('event', published)).type, text).toMatch(/^(event_published|error)$/);
      for (const [type, body] of [
        ['cancel', { run_id: text }],
        ['server_response', { request_id: text, outcome: 'denied', reason: text }],
        ['claim_request', { request_id: text }],
        ['history', { before: text }],
        ['subscribe', { after: text, event_types: [text] }],
        ['link_engine', { engine_type: text }],
      ] as const) {
        const { data: answer } = await socket.request(type, body);
        expect(answer.code, `${type} ${text}`).not.toMatch(/^(INTERNAL_ERROR|WEBSOCKET_ERROR|UNAVAILABLE)$/);
      }
      await socket.close();
    }

    expect((await call('GET', `${url}/api/sessions/${bystander}`)).body.name).toBe('bystander');
    expect((await call('GET', `${url}/api/sessions`)).body.total).toBe(HOSTILE.length + 1);
  },
  120_000,
);

test('check 26 (ASVS 1.2.5): programs get their arguments one by one, and no shell reads them', async () => {
  const folder = await tempDir();
  const marks = ['a', 'b', 'c', 'd'].map((name) => join(folder, name));
  const [dollars, ticks, semicolon, environment] = marks as [string, string, string, string];
  const script = 'require("fs").writeFileSync(process.env.SEEN, JSON.stringify(process.argv.slice(1)))';
  const seen = join(folder, 'seen');
  const args = [`$(touch ${dollars})`, `\`touch ${ticks}\``, `; touch ${semicolon} #`, '* ~ $HOME'];
  await startApp({
    config: {
      mcpServers: {
        x: {
          command: process.execPath,
          args: ['-e', script, ...args],
          env: { SEEN: seen, EVIL: `() { :;}; touch ${environment}` },
        },
      },
    },
  });

  await expect.poll(() => existsSync(seen)).toBe(true);

  await expect.poll(() => readFileSync(seen, 'utf8')).toBe(JSON.stringify(args));
  for (const mark of marks) expect(existsSync(mark), mark).toBe(false);
});
