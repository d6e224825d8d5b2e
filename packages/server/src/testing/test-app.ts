import type { Logger } from 'pino';
import { type App, createApp } from '../app.ts';
import { APIConfig, type ConfigInput } from '../config.ts';
import type { EngineDefinition } from '../engines/types.ts';
import { ExtensibleAPIFactory } from '../extensibility/factory.ts';
import type { ModelProvider } from '../models/types.ts';
import type { ToolDefinition } from '../tools/types.ts';

export interface TestAppOptions {
  /** Added to `apiFactory`. */
  readonly engines?: readonly EngineDefinition[];
  readonly tools?: readonly ToolDefinition[];
  /** The first one has the default model. Those with a `close` are closed with the application. */
  readonly models?: readonly (ModelProvider & { close?(): Promise<void> })[];
  /** Default: a new one. */
  readonly apiFactory?: ExtensibleAPIFactory;
  /** Settings over those of a test: a free port of this machine, nothing on disk, no log, no retries. */
  readonly config?: Partial<ConfigInput>;
  readonly logger?: Logger;
}

export interface TestApp extends AsyncDisposable {
  readonly app: App;
  /** For example `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Stops it without a grace period. Once only; a second call joins the first. */
  close(): Promise<void>;
}

/**
 * A real application that listens, for one test. It sees nothing of the environment. Close it, or let `await using` do it.
 *
 * @example
 * await using app = await testApp({ engines: [stockEngine], models: [scriptedModel(['Twelve.'])] });
 */
export async function testApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { engines = [], tools = [], models = [], config = {}, logger } = options;
  const apiFactory = options.apiFactory ?? new ExtensibleAPIFactory();
  for (const engine of engines) apiFactory.registerEngine(engine);
  for (const tool of tools) apiFactory.registerTool(tool);
  for (const provider of models) apiFactory.registerModelProvider(provider);
  const settings: Partial<ConfigInput> = {
    host: '127.0.0.1',
    port: 0,
    databaseUrl: ':memory:',
    logLevel: 'silent',
    model: models[0]?.name ?? 'demo:fast',
    modelRetries: 0,
    shutdownGrace: 0,
    ...config,
  };
  const opened = new AsyncDisposableStack();
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= opened.disposeAsync();
    return closing;
  };
  for (const provider of models) opened.defer(() => provider.close?.());
  try {
    const app = await createApp({
      config: new APIConfig(settings, { env: {} }),
      apiFactory,
      ...(logger ? { logger } : {}),
    });
    opened.defer(() => app.close());
    const { url } = await app.listen();
    return { app, url, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
