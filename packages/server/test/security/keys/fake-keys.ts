import { type FreshKey, makeKey } from '../../../src/security/keys/format.ts';
import type { KeyRow } from '../../../src/storage/types.ts';

/** The look-ups of a storage, counted, which a test can hold up and break. */
export class FakeKeys {
  readonly rows = new Map<string, KeyRow>();
  /** The ids of each look-up. */
  readonly asked: (readonly string[])[] = [];
  /** What a look-up waits for, or fails with. */
  before: () => Promise<void> = async () => {};

  add(values: Partial<KeyRow> = {}): FreshKey {
    const fresh = makeKey();
    this.rows.set(fresh.keyId, {
      keyId: fresh.keyId,
      digest: fresh.digest,
      name: 'a key',
      tenantId: 'tenant',
      principalId: 'somebody',
      role: 'user',
      scopes: null,
      createdAt: 1000,
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
      successorId: null,
      ...values,
    });
    return fresh;
  }

  set(keyId: string, values: Partial<KeyRow>): void {
    const row = this.rows.get(keyId);
    if (!row) throw new Error(`There is no key ${keyId}`);
    this.rows.set(keyId, { ...row, ...values });
  }

  async get(keyIds: readonly string[]): Promise<readonly KeyRow[]> {
    this.asked.push(keyIds);
    await this.before();
    return keyIds.flatMap((keyId) => this.rows.get(keyId) ?? []);
  }
}
