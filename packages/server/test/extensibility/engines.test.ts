/** Engines, tools and model providers of an application's own. */
import {
  ApiError,
  defineEngine,
  defineTool,
  ExtensibleAPIFactory,
  type Model,
  modelConfigSchema,
  promptResult,
  requestOf,
  streamModelStep,
} from '@llmgine/api';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from './log-lines.ts';

const echoEngine = defineEngine({
  type: 'EchoEngine',
  description: 'Says what it hears',
  config: z.object({ loud: z.boolean().default(false), times: z.int().min(1).max(3).optional() }),
  commands: {
    count: {
      description: 'Counts words',
      parameters: z.object({ text: z.string(), unit: z.string().optional() }),
    },
    fail: { description: 'Fails', parameters: z.object({ how: z.enum(['table', 'bug']) }) },
    note: { description: 'Publishes', parameters: z.object({ note: z.unknown() }) },
  },
  create(config, { settings }) {
    expectTypeOf(config).toEqualTypeOf<{ loud: boolean; times?: number | undefined }>();
    if (settings.broken) throw new Error('the secret reason');
    return {
      async run(context) {
        switch (context.command) {
          case 'prompt':
            expectTypeOf(context.parameters.prompt).toBeString();
            return config.loud ? context.parameters.prompt.toUpperCase() : context.parameters.prompt;
          case 'count':
            expectTypeOf(context.parameters.unit).toEqualTypeOf<string | undefined>();
            return { [context.parameters.unit ?? 'words']: context.parameters.text.split(/\s+/).length };
          case 'fail':
            if (context.parameters.how === 'table') throw new ApiError('TOOL_ERROR', 'It did not work');
            throw new Error('the secret reason');
          case 'note': {
            const payload = { note: context.parameters.note };
            context.emit({ event_type: 'custom:noted', payload });
            return null;
          }
        }
      },
    };
  },
});

async function start(options: Parameters<typeof startApp>[0] = {}) {
  const apiFactory = new ExtensibleAPIFactory()
    .registerEngine(echoEngine)
    .registerEvent('custom:noted', z.object({ note: z.string() }));
  const server = await startApp({ ...options, apiFactory });
  const open = async (engineConfig: object = {}) => {
    const socket = await TestSocket.open(server.wsUrl(await server.createSession()));
    const linked = await socket.request('link_engine', {
      engine_type: 'EchoEngine',
      engine_config: engineConfig,
    });
    return { socket, linked };
  };
  return { ...server, open };
}

test('an engine with a configuration and commands of its own', async () => {
  const { open } = await start();
  const { socket, linked } = await open({ loud: true });

  expect(linked.type).toBe('engine_linked');
  expect(await socket.run('prompt', { prompt: 'hello' })).toMatchObject({ result: 'HELLO' });
  expect(await socket.run('count', { text: 'a b c' })).toMatchObject({ result: { words: 3 } });
  expect(await socket.run('count', { text: 'a b', unit: 'pieces' })).toMatchObject({ result: { pieces: 2 } });
});

test('its commands and its configuration are validated and described', async () => {
  const { url, open } = await start();
  const { socket, linked } = await open({ times: 9 });

  expect(linked.data).toMatchObject({
    code: 'VALIDATION_ERROR',
    errors: [{ path: 'engine_config.times' }],
  });
  await socket.request('link_engine', { engine_type: 'EchoEngine' });
  await expect(socket.run('count', { text: 7 })).rejects.toThrow('VALIDATION_ERROR');
  await expect(socket.run('sing', {})).rejects.toThrow(
    'UNKNOWN_COMMAND: EchoEngine does not know the command "sing"; it knows: prompt, count, fail, note',
  );

  const { engines } = (await (await fetch(`${url}/api/engines`)).json()) as {
    engines: { engine_type: string }[];
  };
  expect(engines.find(({ engine_type: type }) => type === 'EchoEngine')).toMatchObject({
    description: 'Says what it hears',
    config: { properties: { loud: { type: 'boolean' } } },
    commands: [
      { command: 'prompt' },
      { command: 'count', parameters: { properties: { text: { type: 'string' } } } },
      { command: 'fail' },
      { command: 'note' },
    ],
  });
});

test('creating it fails: ENGINE_CREATION_FAILED, the reason is in the log, the old engine stays', async () => {
  const { logger, find } = logLines();
  const apiFactory = new ExtensibleAPIFactory().registerEngine(echoEngine);
  const { wsUrl, createSession } = await startApp({
    apiFactory,
    logger,
    config: { custom: { broken: true } },
  });
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const { data: first } = await socket.request('link_engine', { engine_type: 'SinglePassEngine' });

  const failed = await socket.request('link_engine', { engine_type: 'EchoEngine' });

  expect(failed).toMatchObject({ type: 'error', data: { code: 'ENGINE_CREATION_FAILED' } });
  expect(JSON.stringify(failed)).not.toContain('secret reason');
  expect((await find(({ level }) => level === 'error')).err?.message).toBe('the secret reason');
  expect((await socket.request('status')).data.engine_id).toBe(first.engine_id);
});

test('a run that fails says so with a code of the table, or with INTERNAL_ERROR and a log entry', async () => {
  const { logger, find } = logLines();
  const { open } = await start({ logger });
  const { socket } = await open();

  expect(await socket.run('fail', { how: 'table' })).toMatchObject({
    status: 'failed',
    error: { code: 'TOOL_ERROR', message: 'It did not work' },
  });
  expect(await socket.run('fail', { how: 'bug' })).toMatchObject({
    status: 'failed',
    error: { code: 'INTERNAL_ERROR', message: 'Internal error' },
  });
  expect((await find(({ level }) => level === 'error')).err?.message).toBe('the secret reason');
});

test('it publishes custom events; a payload that their schema does not take fails the run', async () => {
  const { open } = await start();
  const { socket } = await open();

  expect(await socket.run('note', { note: 'milk' })).toMatchObject({ status: 'completed' });
  expect((await socket.findEvent('custom:noted')).data.payload).toEqual({ note: 'milk' });
  expect(await socket.run('note', { note: 7 })).toMatchObject({
    status: 'failed',
    error: { code: 'VALIDATION_ERROR' },
  });
});

test('settings reach engines', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerEngine({
    type: 'SettingsEngine',
    description: 'Says its settings',
    config: z.object({}),
    create: (_config, { settings }) => ({ run: async () => settings as never }),
  });
  const { wsUrl, createSession } = await startApp({ apiFactory, config: { custom: { flags: { a: true } } } });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'SettingsEngine' })));

  expect((await socket.run('prompt', { prompt: 'x' })).result).toEqual({ flags: { a: true } });
});

test('a tool is called by ToolChatEngine with valid arguments, and its result reaches the answer', async () => {
  const weather = defineTool({
    name: 'weather',
    description: 'The weather in a city',
    parameters: z.object({ city: z.string() }),
    execute: ({ city }, { sessionId, principal }) => {
      expectTypeOf(city).toBeString();
      return { report: `rain in ${city} for ${principal.id} in ${sessionId}` };
    },
  });
  const apiFactory = new ExtensibleAPIFactory().registerTool(weather);
  const { url, wsUrl, createSession } = await startApp({ apiFactory });
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(wsUrl(id));

  const { result } = await socket.run('prompt', { prompt: 'call weather {"city": "Oslo"}' });

  expect(result.text).toContain(`rain in Oslo for operator in ${id}`);
  expect((await socket.findEvent('tool_call')).data.payload).toMatchObject({
    tool_name: 'weather',
    arguments: { city: 'Oslo' },
  });
  const { tools } = (await (await fetch(`${url}/api/info`)).json()) as { tools: string[] };
  expect(tools).toEqual(['calculate', 'current_time', 'ask_user', 'fetch_url', 'weather']);
});

const parrot = (name: string): Model => ({
  id: `parrot:${name}`,
  stream(request, sink, signal) {
    signal.throwIfAborted();
    const last = request.messages.at(-1)?.parts[0];
    sink.text(`${name} says `);
    sink.text(last?.type === 'text' ? last.text : 'nothing');
    const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
    return Promise.resolve({ finishReason: 'stop', usage });
  },
});

test('a model provider is used by its name, by the built-in engines and by custom ones', async () => {
  const twiceEngine = defineEngine({
    type: 'TwiceEngine',
    description: 'Asks the model twice',
    config: modelConfigSchema,
    create: (config, services) => ({
      async run(context) {
        const model = services.model(config.model);
        const first = await streamModelStep(context, model, {
          ...requestOf(config),
          messages: await context.history(),
        });
        const messages = [...(await context.history()), first.message];
        return promptResult(
          await streamModelStep(context, model, { ...requestOf(config), messages }, { step: 2 }),
        );
      },
    }),
  });
  const apiFactory = new ExtensibleAPIFactory()
    .registerModelProvider({ name: 'parrot', model: parrot })
    .registerEngine(twiceEngine);
  const { wsUrl, createSession } = await startApp({ apiFactory, config: { model: 'parrot:polly' } });
  const run = async (engineType: string, config: object) => {
    const id = await createSession({ engine_type: engineType, engine_config: config });
    return (await TestSocket.open(wsUrl(id))).run('prompt', { prompt: 'hello' });
  };

  expect(await run('SinglePassEngine', {})).toMatchObject({ result: { text: 'polly says hello' } });
  expect(await run('SinglePassEngine', { model: 'parrot:rio' })).toMatchObject({
    result: { text: 'rio says hello' },
  });
  expect(await run('TwiceEngine', {})).toMatchObject({
    result: { text: 'polly says polly says hello' },
    usage: { input_tokens: 2, output_tokens: 4, total_tokens: 6 },
  });
});

const tool = (name: string) =>
  defineTool({ name, description: 'Does it', parameters: z.object({}), execute: () => null });

test.each([
  [
    'an engine type twice',
    () => new ExtensibleAPIFactory().registerEngine(echoEngine).registerEngine(echoEngine),
    'There is an engine type "EchoEngine" already',
  ],
  [
    'a core engine type',
    () => new ExtensibleAPIFactory().registerEngine({ ...echoEngine, type: 'ToolChatEngine' }),
    'There is an engine type "ToolChatEngine" already',
  ],
  [
    'an engine without a name',
    () => new ExtensibleAPIFactory().registerEngine({ ...echoEngine, type: '' }),
    'Engine type "" is not a name',
  ],
  [
    'a tool that is there',
    () => new ExtensibleAPIFactory().registerTool(tool('calculate')),
    'There is a tool "calculate" already',
  ],
  [
    'a tool with a name that providers refuse',
    () => new ExtensibleAPIFactory().registerTool(tool('look up')),
    'Tool name "look up" must match',
  ],
  [
    'a provider whose name cannot be written before a colon',
    () => new ExtensibleAPIFactory().registerModelProvider({ name: 'My Models', model: parrot }),
    'Provider name "My Models" must be of a-z, 0-9 and "-"',
  ],
])(
  'registering %s is a TypeError, at the latest when the application starts',
  async (_what, build, message) => {
    const starting = async () => startApp({ apiFactory: build() });

    await expect(starting()).rejects.toThrow(TypeError);
    await expect(starting()).rejects.toThrow(message);
  },
);

test('types: what an engine may not do does not compile', () => {
  void defineEngine({
    ...echoEngine,
    commands: { greet: { description: '', parameters: z.object({ name: z.string() }) } },
    create: () => ({
      async run(context) {
        // @ts-expect-error: there is no such command.
        if (context.command === 'sing') return null;
        // @ts-expect-error: the parameters of this command have no such text.
        if (context.command === 'greet') return context.parameters.prompt.length;
        // @ts-expect-error: the events of runs are the server's.
        context.emit({ event_type: 'run_finished', payload: {} });
        return null;
      },
    }),
  });
});
