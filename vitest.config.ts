import { defineConfig } from 'vitest/config';

const conditions = ['@llmgine/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts', 'examples/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Waiting for a condition ends with the condition; a busy machine needs longer than the default second.
    expect: { poll: { timeout: 10_000, interval: 20 } },
    // Two cores is the smallest machine that the suite is meant for.
    maxWorkers: 2,
    pool: 'forks',
    execArgv: ['--conditions=@llmgine/source'],
  },
});
