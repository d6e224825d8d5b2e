import {
  openPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/storage.ts';

export function openForTest(
  url: string,
  options: Partial<PostgresStorageOptions> = {},
): Promise<PostgresStorage> {
  return openPostgresStorage({ url, pool: 10, timeoutMs: 10_000, leaseMs: 15_000, ...options });
}
