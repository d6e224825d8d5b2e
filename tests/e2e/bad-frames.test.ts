/** Whatever one client sends, it is answered, stays connected, and nobody else notices. */
import { ERROR_CODES } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { say, testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const TYPES = [
  'ping',
  'get_engine_types',
  'link_engine',
  'status',
  'hello',
  'unlink_engine',
  'command',
  'cancel',
  'subscribe',
  'unsubscribe',
  'event',
  'history',
];

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', ''];
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(...NAMES));
const value = fc.oneof(fc.jsonValue(), text, fc.constantFrom(null, -1, 1e308, [], {}));

/** Data with the right fields and wrong values, so that it gets further than the envelope. */
const data = fc.oneof(
  value,
  fc.record(
    {
      timestamp: value,
      engine_type: fc.oneof(value, fc.constant('ToolChatEngine')),
      engine_config: value,
      command: fc.oneof(value, fc.constant('prompt')),
      parameters: fc.oneof(value, fc.record({ prompt: value, attachments: value })),
      run_id: value,
      on_conflict: value,
      stream: value,
      after: fc.oneof(value, fc.constant('abcdef:1')),
      event_types: value,
      event_type: fc.oneof(value, fc.constant('custom:x')),
      payload: value,
      event_id: value,
      limit: value,
      before: value,
    },
    { requiredKeys: [] },
  ),
);

const json = fc
  .record(
    { type: fc.oneof(fc.constantFrom(...TYPES), value), message_id: value, data },
    { requiredKeys: ['type'] },
  )
  .map((frame) => JSON.stringify(frame));

function nested(open: string, close: string): fc.Arbitrary<string> {
  return fc.integer({ min: 1, max: 100_000 }).map((n) => {
    const deep = open.repeat(n) + close.repeat(n);
    return `{"type":"event","data":{"event_type":"custom:x","payload":${deep}}}`;
  });
}

const frame: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: json },
  // Cut, doubled, or with something in the middle.
  { weight: 2, arbitrary: fc.tuple(json, fc.nat(200)).map(([frame, at]) => frame.slice(0, at)) },
  { weight: 1, arbitrary: json.map((frame) => frame + frame) },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: value.map((value) => JSON.stringify(value)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...TYPES), fc.constantFrom(...NAMES), value)
      .map(([type, name, value]) => {
        const polluted = `{"${name}":${JSON.stringify(value)},"__proto__":{"polluted":true}}`;
        return `{"__proto__":${polluted},"type":"${type}","data":${polluted}}`;
      }),
  },
  { weight: 1, arbitrary: nested('{"a":', '}') },
  { weight: 1, arbitrary: nested('[', ']') },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 300 }) },
);

test('check 25 (ASVS 2.2.1): 200 random bad frames: the connection stays, nothing fails inside, and another session notices nothing', async () => {
  const apiFactory = testEngine(async (context) => {
    say(context, 'm');
    for (let n = 0; n < 50; n++) {
      context.emit({ event_type: 'text_delta', payload: { message_id: 'm', text: `${n} ` } });
      await context.drain();
    }
    return null;
  });
  const { url, wsUrl, createSession } = await startApp({ apiFactory, config: { maxSessions: 1000 } });
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 200, maxLength: 200 }), async (frames) => {
      const bad = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
      const good = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
      const result = good.run('act', {});
      for (const [n, frame] of frames.entries()) {
        bad.ws.send(frame);
        if (n % 50 === 25) expect((await good.request('ping')).type).toBe('pong');
      }

      // Handled in order, so when this is answered everything before it was.
      expect((await bad.request('hello')).type).toBe('welcome');
      expect((await bad.request('ping')).type).toBe('pong');
      expect((await good.request('ping')).type).toBe('pong');
      expect(await result).toMatchObject({ status: 'completed' });
      const said = good.events.map(({ payload }) => payload.text ?? '').join('');
      expect(said).toBe(Array.from({ length: 50 }, (_, n) => `${n} `).join(''));

      const codes = bad.frames.filter(({ type }) => type === 'error').map(({ data }) => data.code);
      expect(codes.length).toBeGreaterThan(50);
      expect(ERROR_CODES).toEqual(expect.arrayContaining([...new Set(codes)]));
      expect(codes).not.toContain('WEBSOCKET_ERROR');
      expect(codes).not.toContain('INTERNAL_ERROR');
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      await Promise.all([bad.close(), good.close()]);
    }),
    { numRuns: 3, endOnFailure: true },
  );
  expect((await call('GET', `${url}/health/ready`)).status).toBe(200);
});

test('each bad frame is answered once, with its message_id', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const frames = [
    '{',
    '[]',
    '7',
    '"x"',
    'null',
    '{}',
    '{"type":7}',
    '{"type":"ping","data":[]}',
    '{"type":"fly"}',
  ];
  for (const frame of frames) socket.send(frame);
  socket.send('{"type":"fly","message_id":"a"}');
  socket.send('{"type":"ping","message_id":7,"data":{"timestamp":1}}');
  socket.ws.send(Buffer.from([0, 1, 2]));
  await socket.request('hello');
  const errors = socket.frames.slice(0, -1);
  expect(errors.map(({ type }) => type)).toEqual(Array.from({ length: 12 }, () => 'error'));
  expect(errors.map(({ message_id }) => message_id)).toEqual([
    ...Array.from({ length: 9 }, () => undefined),
    'a',
    7,
    undefined,
  ]);
});

test('check 25 (ASVS 2.2.2): unknown fields are dropped: never stored, never acted on', async () => {
  const { url, wsUrl, createSession } = await startApp();
  const id = await createSession({ name: 'x', owner_id: 'me', tenant_id: 'them', role: 'admin' });
  const socket = await TestSocket.open(wsUrl(id));
  socket.send({
    type: 'event',
    message_id: 1,
    server_initiated: true,
    owner: 'me',
    data: { event_type: 'custom:x', payload: { kept: 1 }, run_id: 'r', seq: 99, created_at: 'never' },
  });
  await socket.findType('event_published');
  const { events } = (await call('GET', `${url}/api/sessions/${id}/events`)).body;
  expect(events).toEqual([
    {
      cursor: expect.any(String),
      seq: 1,
      event_type: 'custom:x',
      payload: { kept: 1 },
      created_at: expect.any(String),
    },
  ]);
  const everything = JSON.stringify((await call('GET', `${url}/api/sessions/${id}`)).body);
  expect(everything).not.toMatch(/admin|them/);
});

test('what is nested too deeply is refused, on both transports', async () => {
  const { url, wsUrl, createSession } = await startApp();
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const bodies = [
    ['POST', `/${id}/commands`, `{"command":"prompt","parameters":{"prompt":"x","a":${deep}}}`, 'command'],
    ['POST', `/${id}/events`, `{"event_type":"custom:x","payload":{"a":${deep}}}`, 'event'],
    ['PUT', `/${id}/engine`, `{"engine_type":"ToolChatEngine","engine_config":{"a":${deep}}}`, 'link_engine'],
    [
      'POST',
      `/${id}/requests/req_1`,
      `{"request_id":"req_1","outcome":"submitted","value":${deep}}`,
      'server_response',
    ],
    ['POST', '', `{"metadata":{"a":${deep}}}`, undefined],
  ] as const;
  const socket = await TestSocket.open(wsUrl(id));
  for (const [method, path, body, type] of bodies) {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/api/sessions${path}`, { method, headers, body });
    expect([path, response.status]).toEqual([path, 422]);
    if (type === undefined) continue;
    socket.send(`{"type":"${type}","message_id":"${type}","data":${body}}`);
    const reply = await socket.find(({ message_id }) => message_id === type);
    expect(reply.data.code).toBe('VALIDATION_ERROR');
  }
});

test('more frames than may wait, of all kinds at once, are all answered', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const types = ['history', 'hello', 'get_engine_types', 'unsubscribe', 'ping', 'status'];
  for (let n = 0; n < 600; n++) {
    socket.send({ type: n === 0 ? 'history' : types[n % types.length], message_id: n });
  }
  await socket.find(() => socket.frames.length === 600);
  const ordered = socket.frames.filter(({ type }) => type !== 'pong' && type !== 'status_response');
  const ids = ordered.map(({ message_id }) => message_id as number);
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  expect((await socket.request('ping')).type).toBe('pong');
});
