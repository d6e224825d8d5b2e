import type { Json, Message, MessagePart } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startApp } from '../../../../../tests/helpers/app.ts';
import { exportSession, importSession, type Line, toText } from '../../../../../tests/helpers/exports.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) as fc.Arbitrary<Json>;
/** The server takes no such name, from nobody: the test at the end has it. */
const PROTOTYPE = '__proto__';
const name = text.filter((one) => one !== PROTOTYPE);
const object = fc.dictionary(name, json, { maxKeys: 3, noNullPrototype: true });
const provider = fc.option(object, { nil: undefined });

const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text, provider_metadata: provider }),
  fc.record({ type: fc.constant('reasoning'), text, provider_metadata: provider }),
  fc.record({
    type: fc.constant('tool_call'),
    tool_call_id: text,
    tool_name: text,
    arguments: json,
    provider_metadata: provider,
  }),
  fc.record({
    type: fc.constant('tool_result'),
    tool_call_id: text,
    tool_name: text,
    result: json,
    is_error: fc.boolean(),
  }),
  fc.record({ type: fc.constant('file'), mime_type: text, data: text }),
) as fc.Arbitrary<MessagePart>;

const message = fc.record({
  message_id: id,
  role: fc.constantFrom('system', 'user', 'assistant', 'tool'),
  run_id: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: null }),
  parts: fc.array(part, { maxLength: 3 }),
  created_at: fc
    .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  metadata: object,
}) as fc.Arbitrary<Message>;

const session = fc.record({
  type: fc.constant('session'),
  version: fc.constant(1),
  name: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }), { nil: null }),
  metadata: object,
  engine: fc.constant(null),
  forked_from: fc.option(fc.record({ session_id: fc.uuid(), message_id: fc.option(text, { nil: null }) }), {
    nil: null,
  }),
});

/** What does not depend on where and when. */
function lasting(lines: readonly Line[]): Line[] {
  return lines.map(({ session_id: _, created_at, ...line }) =>
    line.type === 'session' ? { ...line, usage: null } : { ...line, created_at },
  );
}

test('whatever an export may say, it is the same after an import, and after another one', async () => {
  const { url } = await startApp({ config: { maxSessions: 1000 } });
  const messages = fc.uniqueArray(message, { maxLength: 8, selector: ({ message_id }) => message_id });

  await fc.assert(
    fc.asyncProperty(session, messages, async (described, said) => {
      const end = { type: 'end', messages: said.length, events: 0 };
      const file = [described, ...said.map((one) => ({ type: 'message', ...one })), end];
      const made = await importSession(url, toText(file));
      expect(made).toMatchObject({ status: 201 });
      const first = await exportSession(url, made.body.session_id);
      const again = await importSession(url, first.text);
      const second = await exportSession(url, again.body.session_id);

      const written = (JSON.parse(JSON.stringify(file)) as Line[]).filter(({ type }) => type !== 'end');
      expect(lasting(first.lines.slice(0, written.length))).toEqual(lasting(written));
      expect(lasting(second.lines)).toEqual(lasting(first.lines));
    }),
    { numRuns: 60 },
  );
});

test('a name that stands for the prototype is left out, and what stands beside it is there', async () => {
  const { url } = await startApp();
  const named = `{"${PROTOTYPE}": {"polluted": 1}, "kept": 1}`;
  const message = `"message_id": "m", "role": "user", "run_id": null, "created_at": "2026-01-01T00:00:00.000Z"`;
  const part = `{"type": "text", "text": "Hi", "provider_metadata": ${named}}`;

  const made = await importSession(
    url,
    [
      `{"type": "session", "version": 1, "name": null, "metadata": ${named}, "engine": null, "forked_from": null}`,
      `{"type": "message", ${message}, "parts": [${part}], "metadata": ${named}}`,
      '{"type": "end", "messages": 1, "events": 0}\n',
    ].join('\n'),
  );
  const exported = await exportSession(url, made.body.session_id);

  expect(exported.text).not.toContain('polluted');
  expect(exported.lines).toMatchObject([
    { metadata: { kept: 1 } },
    { metadata: { kept: 1 }, parts: [{ provider_metadata: { kept: 1 } }] },
    { type: 'end' },
  ]);
});
