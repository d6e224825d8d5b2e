/** The lines that people follow a request by. */
import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from '../extensibility/log-lines.ts';
import { RawSocket } from '../ws/raw-socket.ts';

const COMMAND = { command: 'prompt', parameters: { prompt: 'Hello' } };
const RUN = '7d444840-9dc0-41d1-b245-5ffdce74fad2';

async function start(config: object = {}) {
  const log = logLines('info');
  const app = await startApp({ config, logger: log.logger });
  return { ...app, log };
}

test('a command over REST has one line with its request and its run', async () => {
  const { url, createSession, log } = await start();
  const id = await createSession({ engine_type: 'SinglePassEngine' });

  const { headers } = await call('POST', `${url}/api/sessions/${id}/commands`, { ...COMMAND, run_id: RUN });

  const lines = log.lines.filter(({ msg }) => msg === 'command accepted');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 'info',
    request_id: headers.get('x-request-id'),
    session_id: id,
    run_id: RUN,
    attached: false,
  });
});

test('a command on a WebSocket has one line with its connection, its message and its run', async () => {
  const { app, wsUrl, createSession, log } = await start();
  const id = await createSession({ engine_type: 'SinglePassEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  for (const message_id of ['first', 'again']) {
    socket.send({ type: 'command', message_id, data: { ...COMMAND, run_id: RUN } });
    await socket.find((frame) => frame.type === 'command_accepted' && frame.message_id === message_id);
  }

  const connection_id = app.messaging.connections()[0]?.connection_id;
  const common = { connection_id, session_id: id, run_id: RUN };
  expect(log.lines.filter(({ msg }) => msg === 'command accepted')).toMatchObject([
    { ...common, message_id: 'first', attached: false },
    { ...common, message_id: 'again', attached: true },
  ]);
});

test.each([
  ['a missing credential', { headers: {} }, 401, 'UNAUTHENTICATED'],
  ['a foreign page', { headers: { Origin: 'https://evil.example' } }, 403, 'FORBIDDEN'],
  [
    'an old version',
    { headers: { Authorization: 'Bearer correct-horse-battery', 'Sec-WebSocket-Version': '8' } },
    426,
    'VALIDATION_ERROR',
  ],
] as const)(
  'an upgrade that is refused for %s has a line that says why',
  async (_what, options, status, code) => {
    const { url, log } = await start({ key: 'correct-horse-battery' });
    const raw = await RawSocket.connect(url);
    const path = '/api/sessions/550e8400-e29b-41d4-a716-446655440000/ws';

    const answer = await raw.handshake(url, { ...options, path: `${path}?token=canary` });

    const problem = JSON.parse(answer.body) as { request_id: string; detail: string };
    expect(answer.status).toBe(status);
    expect(log.lines.filter(({ msg }) => msg === 'upgrade refused')).toMatchObject([
      { level: 'info', path, status, code, request_id: problem.request_id, detail: problem.detail },
    ]);
    expect(JSON.stringify(log.lines)).not.toContain('canary');
  },
);

test('what is expected to fail has a line without a stack, and with it what nobody expected', async () => {
  const { app, url, log } = await start();
  app.services.lifecycle.draining = true;
  await call('GET', `${url}/health/ready`);
  app.services.lifecycle.draining = false;
  app.services.storage.check = () => Promise.reject(new TypeError('no disk'));
  await call('GET', `${url}/health/ready`);

  const [expected, unexpected] = log.lines.filter(({ msg }) => msg === 'request failed');
  expect(expected).toMatchObject({ level: 'warn', code: 'UNAVAILABLE', detail: 'The server is stopping' });
  expect(expected).not.toHaveProperty('err');
  expect(unexpected).toMatchObject({ level: 'warn', code: 'UNAVAILABLE', err: { type: 'TypeError' } });
  expect(unexpected?.err?.stack).toContain('no disk');
});
