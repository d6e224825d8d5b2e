import { onTestFinished } from 'vitest';
import { type StartOptions, startApp, type TestApp } from './app.ts';
import { type ModelServer, startModelServer } from './model-server.ts';

/** A model server that lives as long as the test. */
export async function startTestModels(): Promise<ModelServer> {
  const models = await startModelServer();
  onTestFinished(() => models.close());
  return models;
}

/** A server whose default model is our model server, over real HTTP. What fails is not tried again. */
export async function startModelApp(
  options: StartOptions = {},
): Promise<TestApp & { readonly models: ModelServer }> {
  const models = await startTestModels();
  const app = await startApp({
    ...options,
    env: { OPENAI_BASE_URL: models.baseUrl, ...options.env },
    config: { model: 'openai-compatible:x', modelRetries: 0, ...options.config },
  });
  return { ...app, models };
}
