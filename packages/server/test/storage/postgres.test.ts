import { describeStorageContract } from '../../../../tests/contracts/storage.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { openForTest } from './postgres-open.ts';

describeStorageContract('Postgres', async () => {
  const { url } = await testDatabase();
  return { open: () => openForTest(url), cleanup: async () => {} };
});
