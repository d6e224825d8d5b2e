/** Files that are no export, and pretend to be one. */
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { importSession, madeUp, toText } from '../helpers/exports.ts';
import { call } from '../helpers/rest.ts';

const [session, first, second, end] = madeUp(2);
const large = 'x'.repeat(10_000);
const HOSTILE: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, RegExp])[] = [
  ['nothing', '', /^The file is empty$/],
  ['no session', toText([first, end]), /^Line 1: type must be "session" at first$/],
  ['two sessions', toText([session, session, end]), /^Line 2: type is "session" once more$/],
  ['a cut', toText([session, first, second]), /^The file was cut off/],
  ['a cut inside of a line', toText([session, first, second]).slice(0, -9), /^Line 3 is not JSON$/],
  [
    'a message that is missing',
    toText([session, first, end]),
    /^Line 3: messages is 2, but 1 came before it$/,
  ],
  [
    'an event that is missing',
    toText([session, { ...end, messages: 0, events: 1 }]),
    /^Line 2: events is 1, but 0/,
  ],
  ['lines behind the end', toText([session, first, second, end, first]), /^Line 5 comes behind the end$/],
  [
    'messages behind events',
    toText([session, { type: 'event', seq: 1, event_type: 'status' }, first]),
    /^Line 3: type is "message" behind an event$/,
  ],
  [
    'a later version',
    toText([{ ...session, version: 2 }]),
    /version is 2; this server reads exports up to version 1$/,
  ],
  ['no version', toText([{ ...session, version: undefined }]), /^Line 1 failed validation/],
  ['a line of another type', toText([session, { type: 'owner' }]), /^Line 2 failed validation/],
  ['no JSON', 'session\n', /^Line 1 is not JSON$/],
  ['no object', '[]\n', /^Line 1 failed validation/],
  ['bytes that are no text', new Uint8Array([0x22, 0xff, 0x22, 0x0a]), /^Line 1 is not UTF-8$/],
  ['one id twice', toText([session, first, first]), /^Line 3: message_id comes twice$/],
  [
    'a role that there is not',
    toText([session, { ...first, role: 'root' }]),
    /^Line 2 failed validation: line 2.role/,
  ],
  ['a time that is none', toText([session, { ...first, created_at: 'now' }]), /^Line 2 failed validation/],
  [
    'a part that there is not',
    toText([session, { ...first, parts: [{ type: 'x' }] }]),
    /^Line 2 failed validation/,
  ],
  [
    'an address that is not to be fetched',
    toText([
      session,
      { ...first, parts: [{ type: 'file', mime_type: 'image/png', url: 'file:///etc/passwd' }] },
    ]),
    /^Line 2 failed validation: line 2.parts.0.url: must begin with/,
  ],
  [
    'what is too deep',
    toText([
      session,
      JSON.stringify(first).replace(
        '"metadata":{}',
        `"metadata":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
      ),
    ]),
    /^Line 2 failed validation: line 2.metadata: at most 100 levels/,
  ],
  [
    'much metadata',
    toText([{ ...session, metadata: { large: large + large } }]),
    /^Line 1 failed validation: line 1.metadata/,
  ],
  [
    'an engine that there is not',
    toText([{ ...session, engine: { engine_type: 'Nothing', engine_config: {} } }]),
    /Nothing/,
  ],
  [
    'a configuration that is none',
    toText([{ ...session, engine: { engine_type: 'ToolChatEngine', engine_config: { model: 7 } } }]),
    /^engine_config of ToolChatEngine is not valid/,
  ],
  ['a line without an end', large.repeat(7), /^Line 1 has more than 65536 bytes$/],
  ['too much', `${' '.repeat(1000)}\n`.repeat(110), /^An import has at most 102400 bytes$/],
];

test.each(HOSTILE)('an import with %s leaves nothing', async (_what, body, detail) => {
  const { app, url } = await startApp({
    config: { maxImportSize: 102_400, maxBodySize: 4096, websocketMaxMessageSize: 4096 },
  });

  const answer = await importSession(url, body);

  expect(answer.body.detail).toMatch(detail);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect((await call('GET', `${url}/api/sessions`)).body.total).toBe(0);
  expect(await app.services.storage.counts()).toEqual({ sessions: 0, engines: 0 });
  // Whoever was refused may try again at once.
  for (let times = 0; times < 3; times++) {
    expect((await importSession(url, toText(madeUp(2)))).status).toBe(201);
  }
});
