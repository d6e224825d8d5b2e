import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** As text: an object literal with such a name would set the prototype here, and send nothing. */
const POLLUTION = '"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}';

function expectClean(): void {
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  expect(([] as { polluted?: number }).polluted).toBeUndefined();
  expect((() => {}) as { polluted?: number }).not.toHaveProperty('polluted');
}

async function start() {
  onTestFinished(() => {
    Reflect.deleteProperty(Object.prototype, 'polluted');
  });
  const seen: object[] = [];
  const apiFactory = testEngine(({ parameters }) => {
    seen.push(parameters);
    return { ...parameters };
  });
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  return { ...app, seen, id };
}

test('check 25 (ASVS 15.3.6): bodies over REST reach no prototype', async () => {
  const { url, id, seen } = await start();
  const session = `${url}/api/sessions/${id}`;
  const send = async (method: string, path: string, body: string) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(path, { method, headers, body });
    expect(answer.status, `${method} ${path}`).toBeLessThan(500);
    return answer.text();
  };

  const answers = [
    await send('POST', `${url}/api/sessions`, `{${POLLUTION}, "metadata": {${POLLUTION}}}`),
    await send('PUT', `${session}/engine`, `{"engine_type": "TestEngine", "engine_config": {${POLLUTION}}}`),
    await send('POST', `${session}/commands`, `{"command": "act", "parameters": {${POLLUTION}, "a": 1}}`),
    await send('POST', `${session}/commands`, `{"command": "__proto__", "parameters": {}}`),
    await send('POST', `${session}/events`, `{"event_type": "custom:x", "payload": {${POLLUTION}}}`),
    await send('PUT', `${session}/engine`, '{"engine_type": "__proto__"}'),
    await send('POST', `${session}/requests/__proto__`, `{"outcome": "approved", ${POLLUTION}}`),
    await send('POST', `${url}/api/admin/stop`, `{${POLLUTION}}`),
  ];
  const found = await fetch(`${url}/api/sessions?metadata.__proto__=x&metadata.constructor=y&__proto__=z`);

  expect(found.status).toBe(200);
  expect(answers[2]).toContain('"completed"');
  expect(Object.keys(seen[0] ?? {})).toEqual(['a']);
  expectClean();
});

test('check 25 (ASVS 15.3.6): frames on a WebSocket reach no prototype, and it stays open', async () => {
  const { wsUrl, id, seen } = await start();
  const socket = await TestSocket.open(wsUrl(id));
  const frames = [
    `{"type": "ping", ${POLLUTION}, "data": {${POLLUTION}}}`,
    `{"type": "link_engine", "data": {"engine_type": "TestEngine", "engine_config": {${POLLUTION}}}}`,
    `{"type": "__proto__", "data": {}}`,
    `{"type": "constructor", "data": {}}`,
    `{"type": "toString", "data": {}}`,
    `{"type": "event", "data": {"event_type": "custom:x", "payload": {${POLLUTION}}}}`,
    `{"type": "command", "data": {"command": "constructor", "parameters": {}}}`,
    `{"type": "command", "data": {"command": "act", "parameters": {${POLLUTION}, "b": 1}}}`,
  ];

  for (const frame of frames) socket.send(frame);
  const result = await socket.findType('command_result');

  expect(result.data.status).toBe('completed');
  expect(socket.frames.filter(({ data }) => data.code === 'INVALID_MESSAGE_TYPE')).toHaveLength(3);
  expect(socket.frames.filter(({ data }) => data.code === 'UNKNOWN_COMMAND')).toHaveLength(1);
  expect(Object.getPrototypeOf(seen[0])).not.toHaveProperty('polluted');
  expect((seen[0] as { polluted?: number }).polluted).toBeUndefined();
  expect(await socket.request('ping')).toMatchObject({ type: 'pong' });
  expectClean();
});
