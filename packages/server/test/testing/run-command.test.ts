import { createServer } from 'node:net';
import { defineEngine, defineTool, ExtensibleAPIFactory, say } from '@llmgine/api';
import { recordModel, replayModel, runCommand, scriptedModel, testApp } from '@llmgine/api/testing';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { tempDir } from '../../../../tests/helpers/app.ts';

const echoEngine = defineEngine({
  type: 'EchoEngine',
  description: 'Says what it hears',
  config: z.object({ loud: z.boolean().default(false) }),
  commands: { fail: { description: 'Fails', parameters: z.object({ why: z.string() }) } },
  create: ({ loud }) => ({
    async run(context) {
      if (context.command === 'fail') throw new Error(context.parameters.why);
      const { prompt } = context.parameters;
      await say(context, loud ? prompt.toUpperCase() : prompt);
      return { heard: prompt };
    },
  }),
});

const payTool = defineTool({
  name: 'pay',
  description: 'Pays',
  parameters: z.object({ amount: z.number() }),
  approval: true,
  execute: ({ amount }) => ({ paid: amount }),
});

test('an engine runs in a real application, and the test sees its result and its events', async () => {
  await using app = await testApp({ engines: [echoEngine] });

  const outcome = await runCommand(app, { engine: 'EchoEngine', engineConfig: { loud: true }, prompt: 'hi' });

  expect(outcome).toMatchObject({ status: 'completed', result: { heard: 'hi' }, error: null });
  const types = outcome.events.map(({ event_type: type }) => type);
  expect(types.at(0)).toBe('run_queued');
  expect(types.slice(-4)).toEqual(['message_started', 'text_delta', 'message_completed', 'run_finished']);
  expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
});

test('a session goes on with what was said, and a run that fails is an outcome', async () => {
  const models = scriptedModel(['One', 'Two']);
  await using app = await testApp({ engines: [echoEngine], models: [models] });

  const { sessionId } = await runCommand(app, { engine: 'ToolChatEngine', prompt: 'first' });
  const second = await runCommand(app, { sessionId, prompt: 'second' });
  const failed = await runCommand(app, {
    sessionId,
    engine: 'EchoEngine',
    command: 'fail',
    parameters: { why: 'because' },
  });

  expect(second.result).toMatchObject({ text: 'Two' });
  expect(models.requests[1]?.messages).toHaveLength(3);
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
});

test('the test answers what the run asks, all of it', async () => {
  const models = scriptedModel([
    {
      toolCalls: [
        { name: 'pay', arguments: { amount: 1 } },
        { name: 'pay', arguments: { amount: 2 } },
      ],
    },
    'Done.',
  ]);
  await using app = await testApp({ tools: [payTool], models: [models] });

  const { events } = await runCommand(app, {
    engine: 'ToolChatEngine',
    prompt: 'Pay',
    answer: ({ arguments: args }) =>
      (args as { amount: number }).amount === 1
        ? { outcome: 'approved' }
        : { outcome: 'denied', reason: 'too much' },
  });

  const results = events.filter((event) => event.event_type === 'tool_result');
  expect(results.map(({ payload }) => payload.is_error).sort()).toEqual([false, true]);
  expect(JSON.stringify(models.requests[1]?.messages.at(-1))).toContain('too much');
});

test('a run that asks without an answer, and what the server refuses, are errors that say so', async () => {
  const models = scriptedModel([{ toolCalls: [{ name: 'pay', arguments: { amount: 1 } }] }]);
  await using app = await testApp({ tools: [payTool], models: [models], config: { key: 'k'.repeat(32) } });

  await expect(runCommand(app, { engine: 'ToolChatEngine', prompt: 'Pay' })).rejects.toThrow(
    /runCommand needs an answer/,
  );
  await expect(runCommand(app, { engine: 'NoEngine', prompt: 'x' })).rejects.toMatchObject({
    code: 'INVALID_ENGINE_TYPE',
  });
  await expect(runCommand(app, { prompt: 'x' })).rejects.toMatchObject({ code: 'ENGINE_NOT_LINKED' });
});

test('more events than a page has are all there', async () => {
  const pieces = Array.from({ length: 250 }, (_, n) => `${n} `);
  await using app = await testApp({ models: [scriptedModel([{ text: pieces }])] });

  const { events } = await runCommand(app, { engine: 'SinglePassEngine', prompt: 'Count' });

  const deltas = events.filter((event) => event.event_type === 'text_delta');
  expect(deltas.map(({ payload }) => payload.text).join('')).toBe(pieces.join(''));
});

test('a run is recorded once and replayed by another application', async () => {
  const file = `${await tempDir()}/stock.jsonl`;
  const turns = [{ toolCalls: [{ name: 'calculate', arguments: { expression: '6*7' } }] }, 'It is 42.'];
  const run = async (provider: ReturnType<typeof replayModel>) => {
    await using app = await testApp({ models: [provider] });
    const { events, ...outcome } = await runCommand(app, {
      engine: 'ToolChatEngine',
      prompt: 'What is 6*7?',
    });
    return { text: outcome.result, types: events.map(({ event_type: type }) => type) };
  };

  const live = await run(recordModel(scriptedModel(turns), file));
  const replayed = await run(replayModel(file, { speed: 0 }));

  expect(replayed.types).toEqual(live.types);
  expect(replayed.text).toMatchObject({ text: 'It is 42.' });
});

test('closing stops everything and closes the models, also when it cannot listen', async () => {
  let closed = 0;
  const provider = { ...scriptedModel(), name: 'closable', model: scriptedModel().model };
  const models = [Object.assign(provider, { close: async () => void closed++ })];
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };

  await expect(testApp({ models, config: { port, model: 'demo:fast' } })).rejects.toThrow(/EADDRINUSE/);
  const app = await testApp({ apiFactory: new ExtensibleAPIFactory() });
  await app.close();

  expect(closed).toBe(1);
  await expect(fetch(`${app.url}/health/live`)).rejects.toThrow();
});
