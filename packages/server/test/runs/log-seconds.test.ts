import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from '../extensibility/log-lines.ts';

test('the log says how long a run took to the millisecond, not to the nanosecond', async () => {
  const { logger, find } = logLines('info');
  const { wsUrl, createSession } = await startApp({ apiFactory: testEngine(() => null), logger });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));

  await socket.run('prompt', { prompt: 'x' });
  const { seconds } = await find(({ msg }) => msg === 'run finished');

  expect(String(seconds)).toMatch(/^\d+(\.\d{1,3})?$/);
});
