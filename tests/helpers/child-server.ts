import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SERVE = [fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url)), 'serve'];

export interface ChildServer {
  readonly child: ChildProcess;
  readonly url: string;
  readonly wsUrl: (sessionId: string) => string;
  /** The log lines so far. */
  readonly lines: string[];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts `llmgine serve`, or another program that says in its log where it listens, in a process of its own, on a free
 * port; resolves when it listens. Killed when the test ends.
 */
export async function startServer(
  env: Record<string, string> = {},
  program: readonly string[] = SERVE,
): Promise<ChildServer> {
  const server = spawnServer(env, program);
  const port = await new Promise<number>((resolve, reject) => {
    server.onLine((line) => {
      const match = /"port":(\d+)/.exec(line);
      if (match) resolve(Number(match[1]));
    });
    void server.exited.then(({ code }) => reject(new Error(`exited with ${code}:\n${server.output()}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    ...server,
    url,
    wsUrl: (sessionId) => `ws://127.0.0.1:${port}/api/sessions/${sessionId}/ws`,
    kill: (signal) => {
      server.child.kill(signal);
      return server.exited;
    },
  };
}

/** Like `startServer`, for one that is expected to stop by itself. */
export async function runServer(
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const server = spawnServer(env);
  const { code } = await server.exited;
  return { code, output: server.output() };
}

function spawnServer(env: Record<string, string>, program: readonly string[] = SERVE) {
  const child = spawn(process.execPath, ['--conditions=@llmgine/source', ...program], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      LLMGINE_API_PORT: '0',
      LLMGINE_API_HOST: '127.0.0.1',
      LLMGINE_API_MODEL: 'demo:fast',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  const listeners: ((line: string) => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const listener of listeners) listener(line);
    });
  }
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return {
    child,
    lines,
    exited,
    output: () => lines.join('\n'),
    onLine: (listener: (line: string) => void) => {
      for (const line of lines) listener(line);
      listeners.push(listener);
    },
  };
}
