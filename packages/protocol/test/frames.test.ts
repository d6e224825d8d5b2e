import {
  CLIENT_FRAMES,
  type ClientFrameType,
  CORE_EVENT_TYPES,
  clientEnvelopeSchema,
  customEventTypeSchema,
  EVENT_PAYLOADS,
  eventTypeSchema,
  MESSAGE_TYPE,
  REPLIES,
  SERVER_FRAMES,
  SERVER_INITIATED,
  type ServerFrameType,
} from '@llmgine/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CLIENT_EXAMPLES, EVENT_EXAMPLES, SERVER_EXAMPLES } from './examples.ts';

const CLIENT_TYPES = Object.keys(CLIENT_FRAMES) as ClientFrameType[];
const SERVER_TYPES = Object.keys(SERVER_FRAMES) as ServerFrameType[];
const SCHEMAS: [string, z.ZodType, readonly object[]][] = [
  ...CLIENT_TYPES.map((type): [string, z.ZodType, readonly object[]] => [
    `client ${type}`,
    CLIENT_FRAMES[type],
    CLIENT_EXAMPLES[type],
  ]),
  ...SERVER_TYPES.map((type): [string, z.ZodType, readonly object[]] => [
    `server ${type}`,
    SERVER_FRAMES[type],
    SERVER_EXAMPLES[type],
  ]),
  ...CORE_EVENT_TYPES.map((type): [string, z.ZodType, readonly object[]] => [
    `event ${type}`,
    EVENT_PAYLOADS[type],
    EVENT_EXAMPLES[type],
  ]),
];

describe.each(SCHEMAS)('%s', (name, schema, examples) => {
  test('takes what is documented, as it is', () => {
    for (const example of examples) expect(schema.parse(example)).toEqual(example);
  });

  test('drops what it does not know', () => {
    // A notification carries whatever its back end gives it.
    if (name === 'server notification') return;
    for (const example of examples) {
      const more = { ...example, tenant_id: 'other', role_: 'admin', 'x-unknown': { deep: [1] } };
      expect(schema.parse(more)).toEqual(example);
    }
  });

  test('is not fooled by names that every object has', () => {
    for (const example of examples) {
      const json = JSON.stringify(example).replace(
        '{',
        '{"__proto__":{"polluted":true},"constructor":{"prototype":{}},',
      );
      const result = schema.safeParse(JSON.parse(json.replace(',}', '}')));
      expect(result.success).toBe(true);
      const data = result.data as { polluted?: boolean };
      expect(data.polluted).toBeUndefined();
      expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('can be documented as JSON Schema', () => {
    const io = name.startsWith('client') ? 'input' : 'output';
    expect(JSON.stringify(z.toJSONSchema(schema, { io }))).toContain('"properties":');
  });

  test('refuses what is no object', () => {
    for (const value of [null, 7, 'x', [], true]) expect(schema.safeParse(value).success).toBe(false);
  });
});

describe('the envelope', () => {
  test('needs a type only: missing data is {}', () => {
    expect(clientEnvelopeSchema.parse({ type: 'ping' })).toEqual({ type: 'ping', data: {} });
  });

  test.each([0, -1, 1.5, '', 'x', 'x'.repeat(255)])('takes message_id %j', (message_id) => {
    expect(clientEnvelopeSchema.parse({ type: 'ping', message_id, more: 1 })).toEqual({
      type: 'ping',
      message_id,
      data: {},
    });
  });

  test.each([
    {},
    { type: '' },
    { type: 'x'.repeat(101) },
    { type: 7 },
    { type: 'ping', data: null },
    { type: 'ping', data: 'x' },
    { type: 'ping', data: [] },
    { type: 'ping', message_id: null },
    { type: 'ping', message_id: 'x'.repeat(256) },
    { type: 'ping', message_id: Number.NaN },
  ])('refuses %j', (value) => {
    expect(clientEnvelopeSchema.safeParse(value).success).toBe(false);
  });

  test('keeps the data of a custom message as it is', () => {
    const name = fc.string().filter((key) => key !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })), (value) => {
        const data = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
        expect(clientEnvelopeSchema.parse({ type: 'mine', data }).data).toEqual(data);
      }),
    );
  });
});

describe('defaults', () => {
  test.each<[ClientFrameType, object, object]>([
    [
      'command',
      { command: 'prompt' },
      { command: 'prompt', parameters: {}, on_conflict: 'queue', stream: true },
    ],
    ['event', { event_type: 'custom:x' }, { event_type: 'custom:x', payload: {} }],
    ['history', {}, { limit: 100 }],
  ])('of %s', (type, given, taken) => {
    expect(CLIENT_FRAMES[type].parse(given)).toEqual(taken);
  });
});

describe('which frame answers which', () => {
  test('every client frame has its replies, and they are frames of the server', () => {
    expect(Object.keys(REPLIES)).toEqual(CLIENT_TYPES);
    for (const reply of Object.values(REPLIES).flat()) expect(SERVER_TYPES).toContain(reply);
  });

  test('what answers nothing is an error, an event, or starts at the server', () => {
    const replies: readonly string[] = Object.values(REPLIES).flat();
    expect(SERVER_TYPES.filter((type) => !replies.includes(type))).toEqual([
      'error',
      'event',
      ...SERVER_INITIATED,
    ]);
    // The command of an `audio_end` is answered as one of its own.
    const twice = replies.filter((reply, index) => replies.indexOf(reply) !== index);
    expect(twice).toEqual(REPLIES.command);
  });

  test('no name is sent by both sides, except what a client publishes and everybody sees', () => {
    expect(CLIENT_TYPES.filter((type) => type in SERVER_FRAMES)).toEqual(['event']);
  });

  test('every type is a name', () => {
    for (const type of [...CLIENT_TYPES, ...SERVER_TYPES]) expect(type).toMatch(MESSAGE_TYPE);
    for (const name of ['', '7up', '__proto__', 'a b', 'a'.repeat(101), 'ä'])
      expect(name).not.toMatch(MESSAGE_TYPE);
  });
});

describe('event types', () => {
  test('are the documented ones', () => {
    expect(CORE_EVENT_TYPES).toEqual([
      'run_queued',
      'run_started',
      'run_finished',
      'step_started',
      'step_finished',
      'message_started',
      'text_delta',
      'reasoning_delta',
      'message_completed',
      'message_discarded',
      'tool_call',
      'tool_result',
      'input_requested',
      'input_resolved',
      'engine_linked',
      'engine_unlinked',
      'status',
    ]);
    for (const type of CORE_EVENT_TYPES) expect(eventTypeSchema.parse(type)).toBe(type);
  });

  test('custom ones have a prefix and a name, and are never core ones', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_.:-]{1,100}$/), (name) => {
        expect(customEventTypeSchema.parse(`custom:${name}`)).toBe(`custom:${name}`);
      }),
    );
    for (const type of [
      ...CORE_EVENT_TYPES,
      'custom:',
      'custom',
      'custom:a b',
      'Custom:a',
      'custom:a\n',
      ' custom:a',
    ]) {
      expect(customEventTypeSchema.safeParse(type).success).toBe(false);
    }
  });
});
