/** The four documented steps of adding a message of one's own, as a reader of the documentation writes them. */
import {
  APIConfig,
  BaseHandler,
  createApp,
  defineMessage,
  EngineConfiguration,
  ExtensibleAPIFactory,
  type HandlerContext,
  WSMessage,
  WSResponse,
} from '@llmgine/api';
import { expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

// 1. Define message types.
class CustomRequest extends defineMessage('custom_request', z.object({ custom_data: z.string() })) {
  constructor(customData: string) {
    super({ custom_data: customData });
  }
}

class CustomResponse extends WSResponse<{ result: string }> {
  constructor(result: string) {
    super('custom_response', { result });
  }
}

// 2. Create the handler.
class CustomHandler extends BaseHandler<CustomRequest> {
  get messageType() {
    return 'custom_request';
  }

  get requestModel() {
    return CustomRequest;
  }

  async handle(message: CustomRequest, _websocket: HandlerContext, _sessionId: string) {
    const customData = message.data.custom_data;
    expectTypeOf(customData).toBeString();
    const result = `Processed: ${customData}`;

    return new CustomResponse(result);
  }
}

// 3. Register with the factory.
function customFactory() {
  const config = new EngineConfiguration({ engineName: 'CustomEngine' });
  const factory = new ExtensibleAPIFactory(config);
  factory.registerCustomHandler('custom_request', CustomHandler);
  return factory;
}

test('the documented four steps', async () => {
  // 4. Create the application.
  const app = await createApp({
    apiFactory: customFactory(),
    config: new APIConfig(
      { databaseUrl: ':memory:', logLevel: 'silent', host: '127.0.0.1', port: 0 },
      { env: {} },
    ),
  });
  onTestFinished(() => app.close());
  const { url } = await app.listen();
  const created = await fetch(`${url}/api/sessions`, { method: 'POST' });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(`${url.replace('http', 'ws')}/api/sessions/${id}/ws`);

  socket.send(new CustomRequest('hello'));

  expect(await socket.findType('custom_response')).toEqual({
    type: 'custom_response',
    data: { result: 'Processed: hello' },
  });
});

test('the same with constants instead of classes, and a function as the handler', async () => {
  const Request = defineMessage('custom_request', z.object({ custom_data: z.string() }));
  const Response = defineMessage('custom_response', z.object({ result: z.string() }));
  const apiFactory = new ExtensibleAPIFactory().registerMessage(
    Request,
    (message) => {
      expectTypeOf(message.data).toEqualTypeOf<{ custom_data: string }>();
      return new Response({ result: `Processed: ${message.data.custom_data}` });
    },
    { response: Response },
  );
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession()));

  expect(await socket.request('custom_request', { custom_data: 'hello' })).toMatchObject({
    type: 'custom_response',
    data: { result: 'Processed: hello' },
  });
});

test('a handler may be an instance, made with what it needs', async () => {
  class Greeter extends BaseHandler<CustomRequest> {
    readonly messageType = 'custom_request';
    readonly requestModel = CustomRequest;
    readonly #greeting: string;

    constructor(greeting: string) {
      super();
      this.#greeting = greeting;
    }

    handle({ data }: CustomRequest) {
      return { type: 'custom_response', data: { result: `${this.#greeting}, ${data.custom_data}` } };
    }
  }
  const apiFactory = new ExtensibleAPIFactory().registerCustomHandler('custom_request', new Greeter('Hello'));
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession()));

  const { data } = await socket.request('custom_request', { custom_data: 'you' });

  expect(data).toEqual({ result: 'Hello, you' });
});

test('the handler gets an instance of the class, with what its schema made of the data', async () => {
  const seen: unknown[] = [];
  class Measure extends defineMessage(
    'measure',
    z.object({ metres: z.string().transform(Number), unit: z.string().default('m') }),
  ) {
    get centimetres(): number {
      return this.data.metres * 100;
    }
  }
  const apiFactory = new ExtensibleAPIFactory().registerMessage(Measure, (message) => {
    expectTypeOf(message.data).toEqualTypeOf<{ metres: number; unit: string }>();
    seen.push(message instanceof Measure, message instanceof WSMessage, message.message_id, message.data);
    return { type: 'measured', data: { centimetres: message.centimetres } };
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const socket = await TestSocket.open(wsUrl(await createSession()));

  socket.send({ type: 'measure', message_id: 7, data: { metres: '1.5', colour: 'red' } });

  expect(await socket.findType('measured')).toEqual({
    type: 'measured',
    message_id: 7,
    data: { centimetres: 150 },
  });
  expect(seen).toEqual([true, true, 7, { metres: 1.5, unit: 'm' }]);
});

test('types: what does not fit together does not compile', () => {
  class Other extends defineMessage('other', z.object({ count: z.number() })) {}
  const factory = new ExtensibleAPIFactory();

  // @ts-expect-error: the data has to be what the schema says.
  new Other({ count: '7' });
  // @ts-expect-error: a field that is not in the schema.
  void ((message: CustomRequest) => message.data.nothing);
  void class extends BaseHandler<CustomRequest> {
    readonly messageType = 'custom_request';
    // @ts-expect-error: the model of another message.
    readonly requestModel = Other;
    handle() {
      return undefined;
    }
  };
  // @ts-expect-error: a reply is a type and data.
  factory.registerMessage(Other, () => 'text');
  // @ts-expect-error: an event of one's own begins with "custom:".
  void (() => factory.registerEvent('note', z.object({})));
});
