import { Worker } from 'node:worker_threads';
import type { Reply } from './serve.ts';

const DEFAULT_MAX_WAITING = 1000;
/** Loading a script takes half a second, and longer on a machine that is busy. */
const START_LIMIT_MS = 20_000;
const CLOSED = 'The server is stopping';

export interface WorkerThreadOptions {
  /** What people read when it fails, for example `the calculation`. */
  readonly task: string;
  /** A module that calls `serve`. */
  readonly script: URL;
  /** Milliseconds that one input may take, without the wait for its turn. */
  readonly limitMs: number;
  /** Megabytes that the thread may hold. */
  readonly memoryMb: number;
  /** How many calls may wait for their turn. */
  readonly maxWaiting?: number;
}

interface Call<Input, Output> {
  readonly input: Input;
  resolve(output: Output): void;
  reject(error: unknown): void;
}

/**
 * Work that must not hold up the thread that serves everybody. Calls are done one after the other, in a thread that the
 * first one starts. One that takes too long or too much memory ends the thread, and the next call gets a new one.
 * Between calls the thread keeps no process alive.
 */
export class WorkerThread<Input, Output> {
  readonly #options: WorkerThreadOptions;
  readonly #waiting: Call<Input, Output>[] = [];
  #worker: Worker | null = null;
  #loaded = false;
  #working = false;
  #closed = false;

  constructor(options: WorkerThreadOptions) {
    this.#options = options;
  }

  /**
   * Rejects with what the script threw, with why the thread ended, or with the reason of `signal`. A call that has begun
   * goes on after the signal, to its limit at most.
   */
  run(input: Input, signal?: AbortSignal): Promise<Output> {
    const { promise, resolve, reject } = Promise.withResolvers<Output>();
    const { task, maxWaiting = DEFAULT_MAX_WAITING } = this.#options;
    if (this.#closed) reject(new Error(CLOSED));
    else if (signal?.aborted) reject(signal.reason);
    else if (this.#waiting.length >= maxWaiting) reject(new Error(`Too much waits for ${task}; try later`));
    else {
      const call = { input, resolve, reject };
      const abort = () => {
        const place = this.#waiting.indexOf(call);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(call);
      if (!this.#working) void this.#work();
      return promise.finally(() => signal?.removeEventListener('abort', abort));
    }
    return promise;
  }

  /** Ends the thread and fails what waits. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const call of this.#waiting.splice(0)) call.reject(new Error(CLOSED));
    await this.#worker?.terminate();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let call = this.#waiting.shift(); call; call = this.#waiting.shift()) {
      try {
        const reply = await this.#ask(call.input);
        if ('output' in reply) call.resolve(reply.output);
        else call.reject(new Error(reply.failure));
      } catch (error) {
        call.reject(error);
      }
    }
    this.#working = false;
    this.#worker?.unref();
  }

  async #ask(input: Input): Promise<Exclude<Reply<Output>, 'ready'>> {
    const { task, limitMs } = this.#options;
    this.#worker ??= this.#start();
    const worker = this.#worker;
    try {
      // So that a program that does nothing else gets its answer.
      worker.ref();
      if (!this.#loaded) await this.#reply(worker, START_LIMIT_MS, `${task} could not be started`);
      this.#loaded = true;
      worker.postMessage(input);
      const reply = await this.#reply(worker, limitMs, `${task} takes too long`);
      if (reply === 'ready') throw new Error(`${task} was not answered`);
      return reply;
    } catch (error) {
      this.#gone(worker);
      // Two threads of one kind would take twice the memory.
      await worker.terminate();
      throw error;
    }
  }

  #start(): Worker {
    const { script, memoryMb, task } = this.#options;
    const worker = new Worker(script, {
      name: task,
      // What goes in comes from outside, so the thread gets nothing that the server knows.
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 16 },
    });
    // Each wait has listeners of its own; between waits a failure without a listener would end the process.
    worker.on('error', () => {});
    worker.once('exit', () => this.#gone(worker));
    return worker;
  }

  #gone(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#loaded = false;
  }

  #reply(worker: Worker, limitMs: number, late: string): Promise<Reply<Output>> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply<Output>>();
    const { task } = this.#options;
    const timer = setTimeout(() => reject(new Error(sentence(late))), limitMs);
    const failed = (error: NodeJS.ErrnoException) => {
      const memory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(new Error(sentence(`${task} ${memory ? 'takes too much memory' : 'failed'}`), { cause: error }));
    };
    const ended = () => reject(new Error(this.#closed ? CLOSED : sentence(`${task} ended early`)));
    worker.once('message', resolve).once('error', failed).once('exit', ended);
    return promise.finally(() => {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', failed).off('exit', ended);
    });
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
