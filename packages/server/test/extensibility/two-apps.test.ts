/** Two applications in one process share nothing. */
import { defineMessage, EngineConfiguration, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from './log-lines.ts';

const Who = defineMessage('who', z.object({}));

function factory(engineName: string): ExtensibleAPIFactory {
  const configuration = new EngineConfiguration({ engineName, customConfig: { greeting: 'hi' } });
  return new ExtensibleAPIFactory(configuration).registerMessage(
    Who,
    (_message, { engineConfiguration, settings }) => ({
      type: 'me',
      data: { name: engineConfiguration.engineName, config: engineConfiguration.customConfig, settings },
    }),
  );
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1));
}

async function who(app: Awaited<ReturnType<typeof startApp>>) {
  const socket = await TestSocket.open(app.wsUrl(await app.createSession()));
  return { socket, me: (await socket.request('who')).data };
}

test('other ports, data, settings, extensions and metrics', async () => {
  const one = await startApp({
    apiFactory: factory('One'),
    config: { title: 'One', custom: { n: 1 }, maxSessions: 1 },
  });
  const two = await startApp({ config: { title: 'Two', custom: { n: 2 } } });

  const { me } = await who(one);
  const stranger = await TestSocket.open(two.wsUrl(await two.createSession()));
  await two.createSession();

  expect(me).toEqual({ name: 'One', config: { greeting: 'hi' }, settings: { n: 1 } });
  expect((await stranger.request('who')).data.code).toBe('INVALID_MESSAGE_TYPE');
  const list = async (url: string) =>
    ((await (await fetch(`${url}/api/sessions`)).json()) as { total: number }).total;
  expect([await list(one.url), await list(two.url)]).toEqual([1, 2]);
  await expect(one.createSession()).rejects.toThrow('RESOURCE_LIMIT_EXCEEDED');
  const sessions = (await (await fetch(`${one.url}/metrics`)).text()).match(/^llmgine_\w*sessions\w*/m)?.[0];
  expect(await metric(one.url, String(sessions))).toBe(1);
  expect(await metric(two.url, String(sessions))).toBe(2);
});

test('one factory builds two applications, each with its own instances', async () => {
  let made = 0;
  const { BaseHandler } = await import('@llmgine/api');
  class Counting extends BaseHandler<InstanceType<typeof Who>> {
    readonly messageType = 'who';
    readonly requestModel = Who;
    #calls = 0;
    constructor() {
      super();
      made++;
    }
    handle() {
      return { type: 'me', data: { calls: ++this.#calls } };
    }
  }
  const apiFactory = new ExtensibleAPIFactory().registerCustomHandler('who', Counting);
  const one = await startApp({ apiFactory });
  const two = await startApp({ apiFactory });

  expect((await who(one)).me).toEqual({ calls: 1 });
  expect((await who(one)).me).toEqual({ calls: 2 });
  expect((await who(two)).me).toEqual({ calls: 1 });
  expect(made).toBe(2);
});

test.each([
  ['a name that is taken', () => factory('One').registerMessage(Who, () => undefined)],
  [
    'a router that fails',
    () =>
      factory('One').registerCustomRouter('/api/x', async () => {
        throw new TypeError('router');
      }),
  ],
])(
  'an application that cannot be built (%s) keeps nothing: the next one has its data folder',
  async (_what, broken) => {
    const dataDir = await tempDir();
    const config = { databaseUrl: undefined, dataDir };

    await expect(startApp({ apiFactory: broken(), config })).rejects.toThrow(TypeError);

    const { url } = await startApp({ apiFactory: factory('One'), config });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  },
);

test('closing one leaves the other alone', async () => {
  const one = await startApp();
  const two = await startApp();
  const { socket } = await who(two);

  await one.app.close();

  await expect(fetch(`${one.url}/health`)).rejects.toThrow();
  expect((await fetch(`${two.url}/health/ready`)).status).toBe(200);
  expect((await socket.request('ping')).type).toBe('pong');
});

test('the configuration of an extension is frozen, and the original is not', () => {
  const customConfig = { nested: { a: 1 } };
  const configuration = new EngineConfiguration({ engineName: 'One', customConfig });

  customConfig.nested.a = 2;

  expect(configuration.customConfig).toEqual({ nested: { a: 1 } });
  expect(() => Object.assign(configuration, { engineName: 'Two' })).toThrow(TypeError);
  expect(() => Object.assign(configuration.customConfig.nested as object, { a: 3 })).toThrow(TypeError);
});

test('each logs to its own logger', async () => {
  const [one, two] = [logLines('info'), logLines('info')];
  await startApp({ logger: one.logger });
  await startApp({ logger: two.logger });

  expect(one.lines.filter(({ msg }) => msg === 'listening')).toHaveLength(1);
  expect(two.lines.filter(({ msg }) => msg === 'listening')).toHaveLength(1);
});
