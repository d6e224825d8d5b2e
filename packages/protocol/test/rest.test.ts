import {
  ANSWER_OUTCOMES,
  ANSWERS,
  answerSchema,
  CLIENT_FRAMES,
  commandPendingSchema,
  createSessionBodySchema,
  createSessionResponseSchema,
  deleteSessionResponseSchema,
  healthSchema,
  isFinished,
  jsonObjectSchema,
  jsonSchema,
  listEventsQuerySchema,
  listMessagesQuerySchema,
  listRequestsQuerySchema,
  listRunsQuerySchema,
  listSessionsQuerySchema,
  liveSchema,
  messageText,
  RUN_OUTCOMES,
  RUN_STATUSES,
  readySchema,
  requestIdSchema,
  runIdSchema,
  sessionDetailSchema,
  sessionListSchema,
  sessionMetadataSchema,
  timestampSchema,
} from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';

const AT = '2024-01-01T12:00:00.000Z';
const ID = '550e8400-e29b-41d4-a716-446655440000';
const session = { session_id: ID, status: 'running', created_at: AT, last_interaction_at: AT };
const service = { initialized: true, monitor_running: true, count: 5 };

test.each<[string, z.ZodType, object]>([
  ['health', healthSchema, { status: 'healthy', service: 'llmgine-api', timestamp: AT, uptime: 1704110400 }],
  [
    'ready',
    readySchema,
    { status: 'ready', timestamp: AT, services: { sessions: service, engines: service } },
  ],
  ['live', liveSchema, { status: 'alive', timestamp: AT, pid: null }],
  ['created', createSessionResponseSchema, { session_id: ID, status: 'success' }],
  ['list', sessionListSchema, { sessions: [session], total: 1, next: null }],
  ['detail', sessionDetailSchema, { ...session, linked_engine: 'engine_123' }],
  ['deleted', deleteSessionResponseSchema, { message: 'Session deleted successfully' }],
])('the documented body of %s', (_, schema, body) => {
  expect(schema.parse(body)).toEqual(body);
});

describe('limits of a page', () => {
  test.each([
    ['sessions', listSessionsQuerySchema],
    ['events', listEventsQuerySchema],
    ['messages', listMessagesQuerySchema],
    ['runs', listRunsQuerySchema],
    ['requests', listRequestsQuerySchema],
  ])('of %s are 1 to 100, and 100 by default', (_, schema) => {
    expect(schema.parse({}).limit).toBe(100);
    for (const limit of ['1', '100', 50]) expect(schema.parse({ limit }).limit).toBe(Number(limit));
    for (const limit of ['0', '101', '-1', '1.5', 'many', 'NaN', '1e9']) {
      expect(schema.safeParse({ limit }).success).toBe(false);
    }
  });

  test('of a history are 1 to 1000', () => {
    for (const limit of [1, 1000]) expect(CLIENT_FRAMES.history.parse({ limit }).limit).toBe(limit);
    for (const limit of [0, 1001, '5', 1.5])
      expect(CLIENT_FRAMES.history.safeParse({ limit }).success).toBe(false);
  });
});

describe('what an application keeps with a session', () => {
  test('has at most 64 keys and 16 KiB', () => {
    const keys = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`key${n}`, n]));
    expect(sessionMetadataSchema.safeParse(keys(64)).success).toBe(true);
    expect(sessionMetadataSchema.safeParse(keys(65)).success).toBe(false);
    expect(sessionMetadataSchema.safeParse({ note: 'x'.repeat(16_000) }).success).toBe(true);
    expect(sessionMetadataSchema.safeParse({ note: 'x'.repeat(17_000) }).success).toBe(false);
  });

  test('a session is created with whatever of it there is, and nothing else', () => {
    expect(createSessionBodySchema.parse({})).toEqual({});
    const body = { name: 'Mine', metadata: { a: 1 }, engine_type: 'ToolChatEngine', engine_config: { x: 1 } };
    expect(createSessionBodySchema.parse({ ...body, owner_id: 'me', tenant_id: 'mine' })).toEqual(body);
    for (const wrong of [{ name: '' }, { name: 'x'.repeat(201) }, { metadata: [] }, { engine_type: 7 }]) {
      expect(createSessionBodySchema.safeParse(wrong).success).toBe(false);
    }
  });
});

describe('requests to people', () => {
  test('each kind takes some of the answers, and each answer is for some kind', () => {
    expect(ANSWERS).toEqual({
      approval: ['approved', 'denied'],
      form: ['submitted', 'denied'],
      client_tool: ['submitted', 'error'],
    });
    expect(new Set(Object.values(ANSWERS).flat())).toEqual(new Set(ANSWER_OUTCOMES));
  });

  test('nobody answers what only the server can say, and no id is endless', () => {
    for (const outcome of ANSWER_OUTCOMES) expect(answerSchema.parse({ outcome })).toEqual({ outcome });
    for (const outcome of ['expired', 'cancelled', 'yes', '', null]) {
      expect(answerSchema.safeParse({ outcome }).success).toBe(false);
    }
    expect(answerSchema.safeParse({ outcome: 'denied', reason: 'x'.repeat(10_001) }).success).toBe(false);
    for (const id of ['', 'x'.repeat(101)]) expect(requestIdSchema.safeParse(id).success).toBe(false);
  });

  test('a form may be answered with any JSON, and with null', () => {
    for (const value of [null, false, 0, '', [], { a: [1] }]) {
      expect(answerSchema.parse({ outcome: 'submitted', value })).toEqual({ outcome: 'submitted', value });
    }
  });

  test('a run that waits for people has not finished, and says what it waits for', () => {
    expect(RUN_STATUSES.filter(isFinished)).toEqual([...RUN_OUTCOMES]);
    const pending = {
      run_id: ID,
      cursor: 'abcd:1',
      position: 0,
      status: 'awaiting_input',
      request_id: 'req_1',
    };
    expect(commandPendingSchema.parse(pending)).toEqual(pending);
  });
});

describe('values', () => {
  test.each([
    ['JSON', jsonSchema],
    ['an object', jsonObjectSchema],
  ])('%s has at most 100 levels', (_, schema) => {
    const nested = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`);
    expect(schema.safeParse(nested(100)).success).toBe(true);
    expect(schema.safeParse(nested(101)).success).toBe(false);
    expect(schema.safeParse(nested(100_000)).success).toBe(false);
  });

  test('times are UTC with milliseconds', () => {
    expect(timestampSchema.parse(new Date(0).toISOString())).toBe('1970-01-01T00:00:00.000Z');
    for (const text of [
      '2024-01-01T12:00:00Z',
      '2024-01-01T12:00:00.000+01:00',
      '2024-01-01',
      '1704110400',
    ]) {
      expect(timestampSchema.safeParse(text).success).toBe(false);
    }
  });

  test('a run id is a UUID of any version', () => {
    for (const id of [ID, '018f4d5e-7b6a-7c3d-9e2f-1a2b3c4d5e6f']) expect(runIdSchema.parse(id)).toBe(id);
    for (const id of ['', 'run', ID.slice(1), `${ID}0`, `{${ID}}`])
      expect(runIdSchema.safeParse(id).success).toBe(false);
  });

  test('the text of a message is its text parts', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'reasoning', text: 'x' },
      { type: 'text', text: 'b' },
    ] as const;
    expect(messageText({ parts })).toBe('ab');
    expect(messageText({ parts: [] })).toBe('');
  });
});
