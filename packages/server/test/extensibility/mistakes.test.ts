/** What the types would refuse, in plain JavaScript: said where it is written, and what to write instead. */
import {
  BaseHandler,
  createApp,
  defineMessage,
  EngineConfiguration,
  ExtensibleAPIFactory,
  WSMessage,
} from '@llmgine/api';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { z as zod3 } from 'zod/v3';
import { startApp } from '../../../../tests/helpers/app.ts';

/** As plain JavaScript sees it. */
type Untyped = (...values: unknown[]) => unknown;
const factory = () => new ExtensibleAPIFactory() as unknown as Record<string, Untyped>;
const register = (method: string, ...values: unknown[]) => {
  const one = factory();
  return one[method]?.call(one, ...values);
};
const engine = (parts: object) => ({
  type: 'Mine',
  description: 'Mine',
  config: z.object({}),
  create: () => ({ run: async () => null }),
  ...parts,
});
const tool = (parts: object) => ({
  name: 'mine',
  description: 'Mine',
  parameters: z.object({}),
  execute: () => null,
  ...parts,
});
const Message = defineMessage('mine', z.object({}));

describe('a schema', () => {
  test.each([
    ['plain JavaScript', { text: 'string' }],
    ['nothing', undefined],
    ['a schema of Zod 3', zod3.object({ text: zod3.string() })],
  ])('that is %s is a TypeError that names it', (_what, schema) => {
    const wrong = 'must be a schema of Zod 4, such as z.object({ text: z.string() })';

    expect(() => defineMessage('mine', schema as never)).toThrow(
      new TypeError(`The schema of message "mine" ${wrong}`),
    );
    expect(() => register('registerEvent', 'custom:mine', schema)).toThrow(
      new TypeError(`The schema of event "custom:mine" ${wrong}`),
    );
    expect(() => register('registerEngine', engine({ config: schema }))).toThrow(
      new TypeError(`The config of engine "Mine" ${wrong}`),
    );
    expect(() => register('registerEngine', engine({ commands: { go: { parameters: schema } } }))).toThrow(
      new TypeError(`The parameters of "go" of engine "Mine" ${wrong}`),
    );
    expect(() => register('registerTool', tool({ parameters: schema }))).toThrow(
      new TypeError(`The parameters of tool "mine" ${wrong}`),
    );
  });

  test('of something else than an object is one, too', () => {
    expect(() => defineMessage('mine', z.string() as never)).toThrow(
      new TypeError('The schema of message "mine" must be the schema of an object, not of: string'),
    );
  });

  test.each([
    ['a union', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])],
    ['a record', z.record(z.string(), z.number())],
    ['one with a date', z.object({ at: z.date() })],
    ['anything', z.any()],
  ])('that is %s is fine, and is documented', async (_what, schema) => {
    const apiFactory = new ExtensibleAPIFactory().registerMessage(
      defineMessage('mine', schema),
      () => undefined,
    );

    const { url } = await startApp({ apiFactory });

    for (const path of ['/api/info', '/asyncapi.json']) expect((await fetch(url + path)).status).toBe(200);
  });

  test('that no model can read is refused with the name of its tool', () => {
    expect(() => register('registerTool', tool({ parameters: z.object({ at: z.date() }) }))).toThrow(
      new TypeError(
        'The parameters of tool "mine" cannot be described: Date cannot be represented in JSON Schema',
      ),
    );
  });
});

class PlainMessage extends WSMessage {}
class PlainHandler extends BaseHandler {
  readonly messageType = 'mine';
  readonly requestModel = PlainMessage as never;
  handle() {
    return undefined;
  }
}

describe('a handler', () => {
  test.each([
    [
      'of a class that defineMessage has not made',
      PlainHandler,
      /^requestModel of PlainHandler must be a class that defineMessage makes.*class Greet/,
    ],
    [
      'that is a function',
      () => undefined,
      /^The handler of "mine" must be a class with a method "handle".*registerMessage takes a function$/,
    ],
    ['that is nothing', undefined, /^The handler of "mine" must be a class/],
    ['without a method', class {}, /^The handler of "mine" must be a class/],
  ])('%s is a TypeError that says what to write', async (_what, handler, message) => {
    const apiFactory = new ExtensibleAPIFactory().registerCustomHandler('mine', handler as never);

    const starting = startApp({ apiFactory });

    await expect(starting).rejects.toThrow(TypeError);
    await expect(starting).rejects.toThrow(message);
  });

  test('as a function is checked with its messages', () => {
    expect(() => register('registerMessage', PlainMessage, () => undefined)).toThrow(
      /^What registerMessage takes must be a class that defineMessage makes/,
    );
    expect(() => register('registerMessage', Message)).toThrow('The handler of "mine" must be a function');
    expect(() => register('registerMessage', Message, () => undefined, { response: PlainMessage })).toThrow(
      /^The response to "mine" must be a class that defineMessage makes/,
    );
  });
});

test.each([
  [
    'an engine without create',
    'registerEngine',
    [engine({ create: undefined })],
    '"create" of engine "Mine" must be a function',
  ],
  [
    'an engine type with a space',
    'registerEngine',
    [engine({ type: 'a b' })],
    'Engine type "a b" is not a name of 1 to 100 characters without spaces',
  ],
  [
    'a tool without execute',
    'registerTool',
    [tool({ execute: undefined })],
    '"execute" of tool "mine" must be a function',
  ],
  [
    'a router that is none',
    'registerCustomRouter',
    ['/api/mine', {}],
    'The router at /api/mine must be a function',
  ],
])('%s is a TypeError', (_what, method, values, message) => {
  expect(() => register(method, ...values)).toThrow(new TypeError(message));
});

test.each([
  ['without options', undefined],
  ['without a name', {}],
])('an EngineConfiguration %s is a TypeError', (_what, options) => {
  expect(() => new EngineConfiguration(options as never)).toThrow(
    new TypeError("An EngineConfiguration needs a name: new EngineConfiguration({ engineName: 'Mine' })"),
  );
});

test('a route that is there already is a TypeError that names the router', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerCustomRouter('/api/sessions', (app) => {
    app.get('/', async () => null);
  });

  const starting = startApp({ apiFactory });

  await expect(starting).rejects.toThrow(TypeError);
  await expect(starting).rejects.toThrow(/^The router at \/api\/sessions: .*already declared/);
});

test('an option of createApp that there is not is a TypeError', async () => {
  await expect(createApp({ api_factory: new ExtensibleAPIFactory() } as never)).rejects.toThrow(
    new TypeError('createApp has no option "api_factory"; it has: config, apiFactory, logger'),
  );
});

test('what is registered after createApp is a TypeError, not without effect', async () => {
  const apiFactory = new ExtensibleAPIFactory();
  await startApp({ apiFactory });

  const late: readonly (() => unknown)[] = [
    () => apiFactory.registerCustomHandler('mine', PlainHandler),
    () => apiFactory.registerMessage(Message, () => undefined),
    () => apiFactory.registerEvent('custom:mine', z.object({})),
    () => apiFactory.registerCustomRouter('/api/mine', () => undefined),
    () => apiFactory.registerEngine(engine({}) as never),
    () => apiFactory.registerTool(tool({}) as never),
    () => apiFactory.registerModelProvider({ name: 'mine', model: () => null as never }),
    () => apiFactory.on({}),
  ];
  for (const registering of late) expect(registering).toThrow('register everything before createApp');
});
