import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import {
  type JSONRPCMessage,
  ReadBuffer,
  serializeMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import { getDefaultEnvironment } from '@modelcontextprotocol/client/stdio';
import { FloodGuard } from './flood-guard.ts';
import type { McpStdio } from './server-config.ts';
import { within } from './within.ts';

/** What a server gets to end by itself, after its input has ended and again after SIGTERM. */
const GRACE_MS = 1000;
/** Bytes of one message. */
const MAX_MESSAGE = 10 * 1024 * 1024;
/** Bytes that wait for a server that does not read. */
const MAX_UNREAD = 16 * 1024 * 1024;
/** Characters of what a server said last on its error output. */
const MAX_TAIL = 2000;

/**
 * A server as a child process. It is spawned without a shell, with the few variables that programs need and those of its
 * entry, in a process group of its own: what it starts ends with it, as with `npx`, and a Ctrl-C reaches us first.
 */
export class StdioTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport['onmessage'];
  readonly #server: McpStdio;
  readonly #onOutput: (text: string) => void;
  readonly #buffer = new ReadBuffer({ maxBufferSize: MAX_MESSAGE });
  readonly #guard = new FloodGuard();
  readonly #exited = Promise.withResolvers<void>();
  #child: ChildProcessWithoutNullStreams | undefined;
  #tail = '';
  #reason: string | undefined;
  #over = false;
  /** The process and its group have ended: their number may be somebody else's by now. */
  #gone = false;
  #closing: Promise<void> | undefined;

  /** `onOutput` gets what the server writes to its error output, in pieces. */
  constructor(server: McpStdio, onOutput: (text: string) => void) {
    this.#server = server;
    this.#onOutput = onOutput;
  }

  /** Why the connection ended, in words; undefined while it has not, or when it was closed here. */
  get reason(): string | undefined {
    if (this.#reason === undefined) return undefined;
    return this.#tail.trim() === '' ? this.#reason : `${this.#reason}; it said: ${this.#tail.trim()}`;
  }

  async start(): Promise<void> {
    if (this.#closing) throw new Error('closed');
    const { command, args, env, cwd } = this.#server;
    const child = spawn(command, args, {
      env: { ...getDefaultEnvironment(), ...env },
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    child.on('error', () => this.#exited.resolve());
    child.on('exit', (code, signal) => {
      // Nobody is left who would end what it has started, and that may hold its output open.
      this.kill();
      this.#gone = true;
      this.#reason ??= signal === null ? `it ended with exit code ${code}` : `it ended by ${signal}`;
      this.#exited.resolve();
    });
    if (child.pid !== undefined) this.#child = child;
    try {
      await once(child, 'spawn');
    } catch (error) {
      const noFolder = cwd !== undefined && !existsSync(cwd);
      this.#end(noFolder ? `its folder ${cwd} does not exist` : (error as Error).message);
      throw error;
    }
    // Only now: one that could not be spawned may have no pipes.
    child.stdin.on('error', () => {});
    child.stderr.on('error', () => {});
    child.stderr.on('data', (chunk: Buffer) => this.#heard(String(chunk)));
    void this.#read(child);
  }

  send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (!stdin || this.#over) return Promise.reject(new Error('Not connected'));
    if (stdin.writableLength > MAX_UNREAD) {
      this.#end('it does not read what it is sent');
      return Promise.reject(new Error('The server does not read'));
    }
    stdin.write(serializeMessage(message));
    return Promise.resolve();
  }

  /** Lets the process end, and makes it, within seconds. */
  close(): Promise<void> {
    this.#closing ??= this.#stop();
    this.#over = true;
    this.#closed();
    return this.#closing;
  }

  /** Ends the process and all that it has started at once. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    child.stdin.end();
    if (await within(this.#exited.promise, GRACE_MS)) return;
    this.#signal('SIGTERM');
    if (await within(this.#exited.promise, GRACE_MS)) return;
    this.kill();
    await within(this.#exited.promise, GRACE_MS);
  }

  async #read(child: ChildProcessWithoutNullStreams): Promise<void> {
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        this.#buffer.append(chunk);
        if (this.#guard.count(chunk.length, this.#deliver())) {
          this.#end('it sends without end');
          return;
        }
        // Others get their turn, however fast it sends.
        await setImmediate();
      }
    } catch (error) {
      this.#end((error as Error).message);
      return;
    }
    // What it said last counts as much as that it has gone.
    await within(this.#exited.promise, GRACE_MS);
    this.#end('it closed its output');
  }

  /** How many messages there were. */
  #deliver(): number {
    for (let count = 0; ; ) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return count;
        count++;
        if (!this.#over) this.onmessage?.(message);
      } catch (error) {
        count++;
        if (!this.#over) this.onerror?.(error as Error);
      }
    }
  }

  #heard(text: string): void {
    this.#tail = (this.#tail + text).slice(-MAX_TAIL);
    this.#onOutput(text.slice(0, MAX_TAIL));
  }

  #end(reason: string): void {
    this.#reason ??= reason;
    void this.close();
  }

  #closed(): void {
    const { onclose } = this;
    this.onclose = undefined;
    onclose?.();
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child ?? {};
    if (pid === undefined || this.#gone) return;
    try {
      if (process.platform === 'win32') this.#child?.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Nobody is left in it.
    }
  }
}
