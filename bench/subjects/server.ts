/** The server itself, as it is built, with the embedded default and everything durable. Rate limits are off. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '@llmgine/api';

const MANY = 1_000_000;
const dataDir = mkdtempSync(join(tmpdir(), 'llmgine-bench-'));
process.on('exit', () => rmSync(dataDir, { recursive: true, force: true }));

const app = await createApp({
  config: {
    host: '127.0.0.1',
    port: 0,
    dataDir,
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
