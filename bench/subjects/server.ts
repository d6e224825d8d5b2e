/**
 * The server itself, as it is built, with the embedded default and everything durable. Rate limits are off.
 * `BENCH_SYNCHRONOUS=full` and `BENCH_DATABASE_URL` choose another storage, `BENCH_DATA_DIR` a folder that stays.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '@llmgine/api';

const MANY = 1_000_000;
const { BENCH_SYNCHRONOUS, BENCH_DATABASE_URL, BENCH_DATA_DIR } = process.env;
const dataDir = BENCH_DATA_DIR ?? mkdtempSync(join(tmpdir(), 'llmgine-bench-'));
if (BENCH_DATA_DIR === undefined) process.on('exit', () => rmSync(dataDir, { recursive: true, force: true }));

const app = await createApp({
  config: {
    host: '127.0.0.1',
    port: 0,
    dataDir,
    ...(BENCH_DATABASE_URL !== undefined && { databaseUrl: BENCH_DATABASE_URL }),
    sqliteSynchronous: BENCH_SYNCHRONOUS === 'full' ? 'full' : 'normal',
    logLevel: 'warn',
    maxSessions: MANY,
    maxSessionsPerCaller: MANY,
    maxRunsPerCaller: MANY,
    maxConnectionsPerCaller: MANY,
    maxConnectionsPerAddress: MANY,
    maxConcurrentRuns: 10_000,
  },
});
const { url } = await app.listen();
process.send?.({ url });
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));
