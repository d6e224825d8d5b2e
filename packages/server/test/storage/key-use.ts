import type { Storage } from '../../src/storage/types.ts';

/** Everything that can be done with keys. */
export async function useKeys({ keys }: Storage): Promise<void> {
  const key = {
    keyId: 'key_1',
    digest: new Uint8Array(32),
    name: 'a key',
    tenantId: 'tenant',
    principalId: 'somebody',
    role: 'admin',
    scopes: null,
    createdAt: 1000,
    expiresAt: null,
  };
  const seen = { ...key, lastUsedAt: null, revokedAt: null, successorId: null };
  await keys.create(key);
  await keys.get(['key_1', 'key_2']);
  for (const tenantId of [undefined, 'tenant']) {
    for (const before of [undefined, 100]) await keys.list({ limit: 10, tenantId, before });
  }
  await keys.change(seen, { name: 'another name', role: 'admin', scopes: null, expiresAt: null }, 2000);
  await keys.rotate(seen, { ...key, keyId: 'key_2' }, 3000);
  await keys.used([{ keyId: 'key_1', at: 2000 }]);
  await keys.revoke('key_1', 3000);
}
