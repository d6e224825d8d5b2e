/** Schemas of engines may make anything of what clients send; what is kept is JSON, and others notice nothing. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { ExtensibleAPIFactory } from '../../src/extensibility/factory.ts';

function strangeEngine(seen: unknown[]): ExtensibleAPIFactory {
  return new ExtensibleAPIFactory().registerEngine({
    type: 'StrangeEngine',
    description: 'Has schemas whose output is no JSON, or not their input',
    config: z.object({
      words: z.string().transform((text) => text.split(' ')),
      limit: z.coerce.bigint().default(1n),
    }),
    commands: {
      act: {
        description: 'Anything',
        parameters: z.object({
          amount: z.coerce.bigint(),
          at: z.coerce.date(),
          twice: z.number().transform((value) => value * 2),
        }),
      },
    },
    create: (config) => ({
      async run({ parameters }) {
        seen.push({ config, parameters });
        return null;
      },
    }),
  });
}

test('an engine gets what its schemas make, once; what is kept is what the client sent', async () => {
  const seen: unknown[] = [];
  const { wsUrl, url, createSession } = await startApp({ apiFactory: strangeEngine(seen) });
  const id = await createSession({ engine_type: 'StrangeEngine', engine_config: { words: 'a b', other: 1 } });
  const socket = await TestSocket.open(wsUrl(id));

  const result = await socket.run('act', { amount: '7', at: '2026-01-01', twice: 3 });

  expect(result).toMatchObject({ status: 'completed', error: null });
  expect(seen).toEqual([
    {
      config: { words: ['a', 'b'], limit: 1n },
      parameters: { amount: 7n, at: new Date('2026-01-01'), twice: 6 },
    },
  ]);
  expect((await call('GET', `${url}/api/sessions/${id}/engine`)).body.engine_config).toMatchObject({
    words: 'a b',
  });
});

test('unknown fields are dropped: never stored, never acted on', async () => {
  const { url, createSession } = await startApp();
  const id = await createSession({
    engine_type: 'SinglePassEngine',
    engine_config: { temperature: 0.5, base_url: 'http://evil', api_key: 'k' },
  });
  expect((await call('GET', `${url}/api/sessions/${id}/engine`)).body.engine_config).toEqual({
    temperature: 0.5,
  });
});

test.each<[string, () => object]>([
  ['a BigInt', () => ({ n: 1n })],
  [
    'a circle',
    () =>
      Object.assign(
        {},
        { self: null as unknown },
        {
          get self() {
            return this;
          },
        },
      ),
  ],
  ['something that writes itself as nothing', () => ({ toJSON: () => undefined })],
  ['something that writes itself as a text', () => new Date()],
])('an event with %s fails its own run, and no other', async (_, payload) => {
  const gate = testGate();
  const { wsUrl, createSession } = await startApp({
    apiFactory: testEngine(async (context) => {
      if (context.parameters.victim) {
        context.emit({ event_type: 'status', payload: { text: 'working' } });
        await gate.pass();
        context.emit({ event_type: 'status', payload: { text: 'done' } });
        return 'fine';
      }
      context.emit({ event_type: 'custom:strange', payload: payload() as Record<string, unknown> });
      return 'not reached';
    }),
  });
  const open = async () => TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
  const [victim, offender] = [await open(), await open()];

  const running = victim.run('act', { victim: true });
  await gate.reached;
  const failing = offender.run('act', {});
  gate.open();

  expect(await failing).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
  expect(offender.events.map(({ event_type }) => event_type)).not.toContain('custom:strange');
  expect(await running).toMatchObject({ status: 'completed', result: 'fine' });
});

test('what an engine does to a message after emitting it changes nothing', async () => {
  const { wsUrl, url, createSession } = await startApp({
    apiFactory: testEngine((context) => {
      const message = {
        message_id: 'm',
        role: 'assistant' as const,
        run_id: context.runId,
        parts: [{ type: 'text' as const, text: 'said' }],
        created_at: new Date().toISOString(),
        metadata: {} as Record<string, never>,
      };
      context.emit({ event_type: 'message_completed', payload: message });
      Object.assign(message.metadata, { later: 1n });
      return null;
    }),
  });
  const id = await createSession({ engine_type: 'TestEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed' });
  const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
  expect(messages).toMatchObject([{ parts: [{ type: 'text', text: 'said' }], metadata: {} }]);
});

test('an engine that can be loaded again is not failed any more', async () => {
  let broken = false;
  const factory = new ExtensibleAPIFactory().registerEngine({
    type: 'MoodyEngine',
    description: 'Cannot always be made',
    config: z.object({}),
    commands: { act: { description: 'Anything', parameters: z.object({}) } },
    create: () => {
      if (broken) throw new Error('not today');
      return { run: async () => null };
    },
  });
  const { wsUrl, url, createSession } = await startApp({ apiFactory: factory });
  const id = await createSession({ engine_type: 'MoodyEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const status = async () => (await call('GET', `${url}/api/sessions/${id}`)).body.status;

  broken = true;
  expect(await socket.run('act', {})).toMatchObject({ error: { code: 'ENGINE_CREATION_FAILED' } });
  expect(await status()).toBe('failed');
  broken = false;
  expect(await socket.run('act', {})).toMatchObject({ status: 'completed' });
  expect(await status()).toBe('running');
});

test('an engine that is ready only after its request timed out is not linked', async () => {
  const gate = testGate();
  const factory = new ExtensibleAPIFactory().registerEngine({
    type: 'SlowEngine',
    description: 'Takes its time',
    config: z.object({}),
    create: async () => {
      await gate.pass();
      return { run: async () => null };
    },
  });
  const { wsUrl, createSession } = await startApp({ apiFactory: factory, config: { handlerTimeout: 0.05 } });
  const socket = await TestSocket.open(wsUrl(await createSession()));

  const reply = await socket.request('link_engine', { engine_type: 'SlowEngine' });
  gate.open();
  // A round trip through the storage: whatever the engine led to has happened.
  await socket.request('event', { event_type: 'custom:after' });

  expect(reply).toMatchObject({ type: 'error', data: { code: 'WEBSOCKET_ERROR' } });
  expect((await socket.request('status')).data).toMatchObject({ engine_id: null, engine_status: null });
});

test('the same event_id with the same payload in another order of keys is the same event', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const publish = (payload: object) =>
    socket.request('event', { event_type: 'custom:note', event_id: 'e', payload });

  const first = await publish({ a: 1, b: { c: 2, d: 3 } });
  expect(await publish({ b: { d: 3, c: 2 }, a: 1 })).toMatchObject({
    type: 'event_published',
    data: { cursor: first.data.cursor },
  });
  expect((await publish({ a: 2 })).data.code).toBe('IDEMPOTENCY_MISMATCH');
});
