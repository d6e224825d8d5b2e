import type { Storage } from '../../src/storage/types.ts';

/** Everything that can be done with sessions of browsers. */
export async function useBrowserSessions({ browserSessions }: Storage): Promise<void> {
  const session = {
    id: 'browser_1',
    digest: new Uint8Array(32),
    proof: new Uint8Array(32),
    tenantId: 'tenant',
    principalId: 'somebody',
    role: 'admin',
    scopes: null,
    credentialKind: 'key',
    credentialId: 'key_1',
    createdAt: 1000,
    usedAt: 1000,
    expiresAt: 9000,
  };
  await browserSessions.create(session, 1);
  await browserSessions.create({ ...session, id: 'browser_2' }, 1);
  await browserSessions.get(['browser_1', 'browser_2']);
  await browserSessions.used([{ id: 'browser_2', at: 2000 }]);
  await browserSessions.prune(1000, 10);
  await browserSessions.delete('browser_2');
}
