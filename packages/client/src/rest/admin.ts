import type { CallOptions, PageOptions } from './sessions.ts';
import type { Transport } from './transport.ts';
import type { ApiKey, AuditEntry, IssuedApiKey, NewKey } from './types.ts';

/** What admins do. Every method rejects with `LlmgineError`. */
export class Admin {
  readonly keys: AdminKeys;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.keys = new AdminKeys(transport);
  }

  /** The audit log, newest first. */
  audit(
    options: PageOptions & {
      readonly cursor?: string;
      readonly action?: string;
      readonly principalId?: string;
      /** ISO 8601, inclusive. */
      readonly from?: string;
      /** ISO 8601, exclusive. */
      readonly until?: string;
    } = {},
  ): Promise<{ entries: AuditEntry[]; next: string | null }> {
    const { signal, principalId, ...query } = options;
    return this.#transport.json('GET', '/api/admin/audit', {
      query: { ...query, principal_id: principalId },
      signal,
    });
  }

  /** Cancels all runs, or those of a tenant; resolves when their ends are durable. */
  stop(
    options: CallOptions & { readonly tenantId?: string; readonly reason?: string } = {},
  ): Promise<{ stopped: number }> {
    const { signal, tenantId, reason } = options;
    const body = {
      ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
      ...(reason === undefined ? {} : { reason }),
    };
    return this.#transport.json('POST', '/api/admin/stop', { body, signal });
  }
}

/** None of these calls is repeated by itself: their answers hold keys, and are not kept. */
export class AdminKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(key: NewKey, options: CallOptions = {}): Promise<IssuedApiKey> {
    return this.#transport.json('POST', '/api/admin/keys', { body: key, ...options });
  }

  /** Newest first, also those that have ended. */
  list(
    options: PageOptions & { readonly cursor?: string; readonly tenantId?: string } = {},
  ): Promise<{ keys: ApiKey[]; next: string | null }> {
    const { signal, tenantId, ...query } = options;
    return this.#transport.json('GET', '/api/admin/keys', {
      query: { ...query, tenant_id: tenantId },
      signal,
    });
  }

  get(keyId: string, options: CallOptions = {}): Promise<ApiKey> {
    return this.#transport.json('GET', keyPath(keyId), options);
  }

  change(
    keyId: string,
    changes: Partial<Pick<NewKey, 'name' | 'role' | 'scopes' | 'expires_at'>>,
    options: CallOptions = {},
  ): Promise<ApiKey> {
    return this.#transport.json('PATCH', keyPath(keyId), { body: changes, ...options });
  }

  /** A new key in its place; the old one goes on for `grace` seconds, a day by default. */
  rotate(keyId: string, options: CallOptions & { readonly grace?: number } = {}): Promise<IssuedApiKey> {
    const { signal, grace } = options;
    const body = grace === undefined ? {} : { grace };
    return this.#transport.json('POST', `${keyPath(keyId)}/rotate`, { body, signal });
  }

  /** For good, within a second. */
  revoke(keyId: string, options: CallOptions = {}): Promise<ApiKey> {
    return this.#transport.json('DELETE', keyPath(keyId), options);
  }
}

function keyPath(keyId: string): string {
  return `/api/admin/keys/${encodeURIComponent(keyId)}`;
}
