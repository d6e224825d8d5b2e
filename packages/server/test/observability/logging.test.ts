import { expect, test } from 'vitest';
import { createLogger, type LogSettings } from '../../src/observability/logging.ts';

function capture(settings: Partial<LogSettings> = {}) {
  const lines: string[] = [];
  const logger = createLogger(
    { debug: false, logFormat: 'auto', ...settings },
    { write: (line) => lines.push(line) },
  );
  return { lines, logger };
}

test('a line is one JSON object with level, time, service and ids', () => {
  const { lines, logger } = capture();

  logger.child({ session_id: 's1' }).info({ run_id: 'r1' }, 'run started');

  expect(JSON.parse(lines.join(''))).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    service: 'llmgine-api',
    session_id: 's1',
    run_id: 'r1',
    msg: 'run started',
  });
});

test('the level is info by default, debug in debug mode, and what is configured above all', () => {
  expect(capture().logger.level).toBe('info');
  expect(capture({ debug: true }).logger.level).toBe('debug');
  expect(capture({ debug: true, logLevel: 'error' }).logger.level).toBe('error');
});

test.each([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'cookie',
  'set-cookie',
  'sec-websocket-protocol',
])('the header %s is hidden wherever headers are shown', (header) => {
  const { lines, logger } = capture();

  logger.info({ [header]: 'canary' }, 'a');
  logger.info({ headers: { [header]: 'canary', host: 'a.example' } }, 'b');
  logger.info({ req: { headers: { [header]: 'canary' } } }, 'c');

  expect(lines).toHaveLength(3);
  expect(lines.join('')).not.toContain('canary');
  expect(lines[1]).toContain('a.example');
});

test('an error is logged with its message and cause', () => {
  const { lines, logger } = capture();

  logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');

  expect(JSON.parse(lines.join('')).err).toMatchObject({ type: 'Error', message: 'outer: inner' });
});

test('the pretty format is for people', () => {
  const { lines, logger } = capture({ logFormat: 'pretty' });

  logger.warn({ run_id: 'r1' }, 'careful');

  expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: careful\n {4}run_id: "r1"\n$/);
});
