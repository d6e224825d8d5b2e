/** Messages of the application's own, what is asked and answered, and what a client publishes. */
import { defineMessage, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { LlmgineClient } from '@llmgine/client';
import { expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../tests/helpers/app.ts';
import { startModelApp } from '../../../tests/helpers/model-app.ts';
import { testClient } from './helpers.ts';

const greetSchema = z.object({ name: z.string(), times: z.int().default(1) });
const greetingSchema = z.object({ text: z.string() });
const Greet = defineMessage('greet', greetSchema);
const Greeting = defineMessage('greeting', greetingSchema);

type Messages = {
  greet: { request: z.input<typeof greetSchema>; response: z.output<typeof greetingSchema> };
};

test('a message of the application is sent and answered with the types of its schemas', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerMessage(
    Greet,
    ({ data }) => new Greeting({ text: `Hello ${data.name}`.repeat(data.times) }),
    { response: Greeting },
  );
  const { url, createSession } = await startApp({ apiFactory });
  const client = new LlmgineClient<Messages>({ url });
  onTestFinished(() => client.close());
  const session = client.session(await createSession());
  const { text } = await session.send('greet', { name: 'Ada' });
  expect(text).toBe('Hello Ada');
  expectTypeOf(session.send<'greet'>)
    .parameter(1)
    .toEqualTypeOf<{ name: string; times?: number | undefined }>();
  expectTypeOf(text).toEqualTypeOf<string>();
  // @ts-expect-error There is no such message.
  await expect(session.send('goodbye', {})).rejects.toMatchObject({ code: 'INVALID_MESSAGE_TYPE' });
  // @ts-expect-error The name is missing.
  await expect(session.send('greet', {})).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
    fields: [{ path: 'data.name' }],
  });
});

test('an event is published once, and comes back to everybody in its place', async () => {
  const { url, createSession } = await startApp();
  const client = testClient(url);
  const id = await createSession();
  const [ann, ben] = [client.session(id), client.session(id)];
  const seen: unknown[] = [];
  ben.on('custom:note', ({ payload, cursor }) => seen.push([payload, cursor]));
  await ben.connect();
  const { cursor } = await ann.publish('custom:note', { n: 1 }, { eventId: 'one' });
  expect(await ann.publish('custom:note', { n: 1 }, { eventId: 'one' })).toEqual({ cursor });
  await expect.poll(() => seen).toEqual([[{ n: 1 }, cursor]]);
});

test('what a run asks is answered, and a second answer is refused', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerTool(
    defineTool({
      name: 'pay',
      description: 'Pays',
      parameters: z.object({}),
      approval: true,
      execute: () => ({ paid: true }),
    }),
  );
  const { models, url, createSession } = await startModelApp({ apiFactory });
  models.script(
    { steps: [{ toolCalls: [{ id: 'call_1', name: 'pay', arguments: {} }] }] },
    { steps: [{ text: 'Paid.' }] },
  );
  const client = testClient(url);
  const body = { engine_type: 'ToolChatEngine', engine_config: { tools: ['pay'] } };
  const session = client.session(await createSession(body));
  session.on('input_requested', async ({ payload }) => {
    await session.answer(payload.request_id, { outcome: 'approved' });
  });
  expect(await session.prompt('Pay').text).toBe('Paid.');
  const { requests } = await client.requests.list(session.id);
  await expect(session.answer(requests[0]?.request_id ?? '', { outcome: 'denied' })).rejects.toMatchObject({
    code: 'REQUEST_ALREADY_ANSWERED',
  });
});

test('frames are shown as they go, in both directions', async () => {
  const { url, createSession } = await startApp();
  const session = testClient(url).session(await createSession());
  const types: string[] = [];
  const off = session.onFrame(({ direction, text }) =>
    types.push(`${direction} ${JSON.parse(text ?? '').type}`),
  );
  await session.status();
  off();
  await session.status();
  expect(types).toEqual([
    'out hello',
    'out subscribe',
    'in welcome',
    'in subscribed',
    'out status',
    'in status_response',
  ]);
});
