/** A server in a process of its own that is killed, frozen and started again, in the same place and on the same data. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { tempDir } from '../helpers/app.ts';
import { type ChildServer, startServer } from '../helpers/child-server.ts';
import { Random } from './random.ts';

export const CHAOS_SERVER = [fileURLToPath(new URL('chaos-server.ts', import.meta.url))];

/** Below the ports that systems give to outgoing connections: nobody else takes one while its server is down. */
const PORTS = { min: 20_000, max: 32_000 };
const TAIL_LINES = 50;

export class FaultyServer {
  readonly port: number;
  readonly url: string;
  /** How often it was started. */
  starts = 0;
  /** The last lines of the lives that ended without having been killed. */
  readonly crashes: string[] = [];
  readonly #env: Record<string, string>;
  readonly #program: readonly string[];
  #server: ChildServer | null = null;

  private constructor(port: number, env: Record<string, string>, program: readonly string[]) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#env = { ...env, LLMGINE_API_PORT: String(port) };
    this.#program = program;
  }

  /** Resolves when it listens; killed when the test ends. */
  static async start(
    env: Record<string, string>,
    program: readonly string[] = CHAOS_SERVER,
  ): Promise<FaultyServer> {
    // What was compiled in one life starts the next one a third sooner.
    const cache = { NODE_COMPILE_CACHE: await tempDir() };
    const server = new FaultyServer(await freePort(), { ...cache, ...env }, program);
    await server.start();
    return server;
  }

  wsUrl(session: string): string {
    return `ws://127.0.0.1:${this.port}/api/sessions/${session}/ws`;
  }

  /** Of the process that lives. */
  get pid(): number {
    const pid = this.#server?.child.pid;
    if (pid === undefined) throw new Error('the server is down');
    return pid;
  }

  /** Resolves when it listens again. */
  async start(): Promise<void> {
    if (this.#server) throw new Error('the server is up');
    this.starts++;
    const server = await startServer(this.#env, this.#program);
    this.#server = server;
    void server.exited.then(() => {
      if (this.#server !== server) return;
      this.#server = null;
      this.crashes.push(server.lines.slice(-TAIL_LINES).join('\n'));
    });
  }

  get alive(): boolean {
    return this.#server !== null;
  }

  /** The last log lines of the life that is. */
  get tail(): readonly string[] {
    return this.#server?.lines.slice(-TAIL_LINES) ?? [];
  }

  /** kill -9. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.kill('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** SIGSTOP: its sockets stay open, and nobody answers. Resolves when it stands still. */
  async freeze(): Promise<void> {
    const { pid } = this;
    process.kill(pid, 'SIGSTOP');
    while (process.platform === 'linux' && stateOf(pid) !== 'T') await nextTurn();
  }

  /** SIGCONT. */
  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}

function stateOf(pid: number): string | undefined {
  // The name of the program, in parentheses, may have spaces.
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.[0];
}

async function freePort(): Promise<number> {
  const random = new Random(process.pid ^ Date.now());
  for (;;) {
    const port = random.int(PORTS.min, PORTS.max);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
