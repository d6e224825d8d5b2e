import type { ConfigInput } from '@llmgine/api';
import { tempDir } from './app.ts';
import { testDatabase } from './postgres.ts';

/** Data that outlives a server, on each storage: what is given is the configuration of servers that share it. */
export const STORAGES: readonly (readonly [string, () => Promise<Partial<ConfigInput>>])[] = [
  ['SQLite', async () => ({ databaseUrl: `sqlite:${await tempDir()}/db` })],
  ['Postgres', async () => ({ databaseUrl: (await testDatabase()).url })],
];
