import { APIConfig, type App, createApp } from '@llmgine/api';
import { apiFactory } from './application.ts';

/** An application for one test: a free port, nothing on disk, the demo model, and nothing of the environment. */
export async function startForTest(): Promise<{ app: App; url: string }> {
  const config = new APIConfig(
    { host: '127.0.0.1', port: 0, databaseUrl: ':memory:', model: 'demo:fast', logLevel: 'silent' },
    { env: {} },
  );
  const app = await createApp({ config, apiFactory });
  const { url } = await app.listen();
  return { app, url };
}
