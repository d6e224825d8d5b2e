import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIConfig, type App, type AppOptions, type ConfigInput, createApp } from '@llmgine/api';
import { onTestFinished } from 'vitest';

/** Nothing of the machine's own environment reaches a test. */
const NO_ENV = {};

export interface TestApp {
  readonly app: App;
  /** http://127.0.0.1:PORT */
  readonly url: string;
  readonly wsUrl: (sessionId: string) => string;
  readonly createSession: (body?: object) => Promise<string>;
}

export interface StartOptions extends Omit<AppOptions, 'config'> {
  readonly config?: Partial<ConfigInput>;
  readonly env?: Record<string, string>;
}

/** A real server on a free port with an in-memory database, closed when the test ends. */
export async function startApp(options: StartOptions = {}): Promise<TestApp> {
  const { config, env = NO_ENV, ...rest } = options;
  const app = await createApp({
    ...rest,
    config: new APIConfig(
      {
        host: '127.0.0.1',
        port: 0,
        databaseUrl: ':memory:',
        logLevel: 'silent',
        model: 'demo:fast',
        shutdownGrace: 0,
        ...config,
      },
      { env },
    ),
  });
  onTestFinished(() => app.close());
  const { url } = await app.listen();
  return {
    app,
    url,
    wsUrl: (sessionId) => `${url.replace('http', 'ws')}/api/sessions/${sessionId}/ws`,
    createSession: async (body) => {
      const response = await fetch(`${url}/api/sessions`, {
        method: 'POST',
        ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
      });
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
      return ((await response.json()) as { session_id: string }).session_id;
    },
  };
}

/** A folder that is removed when the test ends. */
export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'llmgine-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
