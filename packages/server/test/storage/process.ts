/** Other processes that use the storage, for tests of what outlives one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

/** Starts `program.ts`; it ends with the test at the latest. */
export function startProgram(task: 'hold' | 'append' | 'open' | 'work', path: string): Program {
  const child = spawn(process.execPath, ['--conditions=@llmgine/source', PROGRAM, task, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const program = new Program(child);
  onTestFinished(() => program.kill());
  return program;
}

export class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    if (!child.stdout) throw new Error('The program has no output');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The next line that it writes; undefined when it has ended. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }

  /** What it wrote besides, to its end. */
  async *rest(): AsyncGenerator<string> {
    for (let line = await this.line(); line !== undefined; line = await this.line()) yield line;
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}
