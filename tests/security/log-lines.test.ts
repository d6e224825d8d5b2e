import { expect, test } from 'vitest';
import { createLogger } from '../../packages/server/src/observability/logging.ts';
import { exchange } from '../../packages/server/test/http/raw.ts';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const FORGED = '[00:00:00.000] INFO: forged';
/** CR, LF, other breaks, ANSI by C0 and C1, DEL, and text that runs backwards. */
const HOSTILE = `x\r\n${FORGED}\n{"level":"info","msg":"forged"}\u2028${FORGED}\u0085\u001b[2J\u009b2J\u007f\u202e\u2066`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

function recorded(logFormat: 'json' | 'pretty') {
  const written: string[] = [];
  const settings = { debug: true, logLevel: 'trace', logFormat };
  const logger = createLogger(settings, { write: (text) => void written.push(text) });
  return { written, logger };
}

function expectHarmless(written: readonly string[], format: 'json' | 'pretty'): void {
  expect(written.length).toBeGreaterThan(0);
  for (const text of written) {
    expect(text).not.toMatch(STEERING);
    expect(text.endsWith('\n')).toBe(true);
    const lines = text.slice(0, -1).split('\n');
    if (format === 'json') {
      expect(lines).toHaveLength(1);
      expect(JSON.parse(text)).toHaveProperty('msg');
    } else {
      // Only the first line of an entry begins at the margin.
      for (const line of lines.slice(1)) expect(line).toMatch(/^ {4}/);
    }
  }
}

test.each(['json', 'pretty'] as const)(
  'check 37 (ASVS 16.4.1): no value forges a line of the format %s, wherever it stands',
  (format) => {
    const { written, logger } = recorded(format);

    logger.info(HOSTILE);
    logger.info({ value: HOSTILE, deep: { list: [HOSTILE], [HOSTILE]: 1 }, [HOSTILE]: HOSTILE }, HOSTILE);
    logger.error(
      { err: Object.assign(new Error(HOSTILE), { code: HOSTILE, cause: new Error(HOSTILE) }) },
      'failed',
    );
    logger.child({ run_id: HOSTILE }).warn({ msg: HOSTILE, level: HOSTILE, time: HOSTILE }, 'careful');
    logger.info({ req: { headers: { host: HOSTILE } } }, 'a %s', HOSTILE);

    expect(written).toHaveLength(5);
    expectHarmless(written, format);
  },
);

test.each(['json', 'pretty'] as const)(
  'check 37 (ASVS 16.4.1): nothing that a caller sends forges a line of the format %s',
  async (format) => {
    const { written, logger } = recorded(format);
    const { url, wsUrl, createSession } = await startApp({
      logger,
      config: { debug: true },
      apiFactory: testEngine(({ parameters }) => {
        throw new Error(String(parameters.name));
      }),
    });
    const id = await createSession({ engine_type: 'TestEngine', name: HOSTILE, metadata: { a: HOSTILE } });
    const socket = await TestSocket.open(wsUrl(id));
    const session = `${url}/api/sessions/${id}`;
    const act = { command: 'act', parameters: { name: HOSTILE } };

    await call('GET', `${url}/${encodeURIComponent(HOSTILE)}`);
    await call('GET', `${session}/runs/${encodeURIComponent(HOSTILE)}`);
    await call('POST', `${session}/commands`, act);
    await call('POST', `${session}/commands`, { ...act, command: HOSTILE });
    await call('POST', `${session}/commands`, act, { 'idempotency-key': encodeURIComponent(HOSTILE) });
    await call('POST', `${url}/api/admin/stop`, { reason: HOSTILE });
    await call('PUT', `${session}/engine`, { engine_type: HOSTILE });
    for (const [type, data] of [
      [HOSTILE, {}],
      ['command', { ...act, command: HOSTILE }],
      ['command', act],
      ['cancel', { run_id: HOSTILE }],
      ['event', { event_type: `custom:${HOSTILE}`, payload: {} }],
      ['hello', { protocol_version: HOSTILE }],
    ] as const) {
      socket.send({ type, message_id: HOSTILE, data });
    }
    socket.send(HOSTILE);
    await socket.request('ping');
    expect(await socket.run('act', { name: HOSTILE })).toMatchObject({ status: 'failed' });
    await socket.close();
    await exchange(url, 'GET /\u009b2J HTTP/1.1\r\nHost: \u001b[2J\r\nX-\u001b: a\r\n\r\n');

    expect(written.join('')).toContain('forged');
    expectHarmless(written, format);
  },
);
