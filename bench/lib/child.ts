/** Processes of a run: each in its own, told and asked over IPC, gone with their parent. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Reading } from './probe.ts';

const BENCH = join(import.meta.dirname, '..');

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** What `T` a child says when it is ready is its first message. */
export class Child<T = unknown> {
  readonly ready: T;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess, ready: T) {
    this.#process = process;
    this.ready = ready;
  }

  /** What the process has used so far. */
  async read(what: 'read' | 'collect' = 'read'): Promise<Reading> {
    const { reading } = (await this.ask(what, (message) => 'reading' in message)) as { reading: Reading };
    return reading;
  }

  /** Sends and waits for the first message that fits. Rejects when the process ends before. */
  async ask(message: unknown, fits: (answer: object) => boolean): Promise<object> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const onMessage = (answer: unknown) => {
        if (typeof answer !== 'object' || answer === null || !fits(answer)) return;
        settle();
        resolve(answer);
      };
      const onExit = (code: number | null) => {
        settle();
        reject(new Error(`${child.spawnargs.at(-1)} ended with ${code} instead of answering`));
      };
      const settle = () => {
        child.off('message', onMessage);
        child.off('exit', onExit);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(message as object);
    });
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a file of `bench/` and waits until it says that it is ready. */
export async function start<T>(file: string, { env = {}, args = [] }: ChildOptions = {}): Promise<Child<T>> {
  const child = fork(join(BENCH, file), args, {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    execArgv: [...process.execArgv, '--expose-gc', `--import=${join(BENCH, 'lib/probe.ts')}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // Not at once: it removes its folder. It ends in any case when it finds that its parent is gone.
  const gone = (): void => {
    child.kill('SIGTERM');
  };
  process.once('exit', gone);
  child.once('exit', () => process.off('exit', gone));
  const [ready] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${code} before it was ready`);
    }),
  ])) as [T];
  return new Child(child, ready);
}
