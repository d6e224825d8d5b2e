import type { IssuedKey, KeyChangesInput, KeyView, NewKeyInput } from '@llmgine/protocol';
import type { APIConfig } from '../config.ts';
import { createLogger } from '../observability/logging.ts';
import { AuditLog } from '../security/audit/log.ts';
import { type KeyAction, keyEvent } from '../security/keys/audit-event.ts';
import { KeyService } from '../security/keys/service.ts';
import { LOCAL_OPERATOR } from '../security/principal.ts';
import { type OpenKeys, openKeys } from '../storage/open-keys.ts';

const SOURCE = { address: null, transport: 'cli', requestId: null } as const;
/** Whoever reads the configuration and writes the data may do everything. */
const BY = LOCAL_OPERATOR;

/** The keys of the storage that the configuration names, beside whatever servers use it. What is done is audited. */
export async function openKeyAdministration(config: APIConfig): Promise<KeyAdministration> {
  return new KeyAdministration(config, await openKeys(config.values));
}

export class KeyAdministration {
  readonly #opened: OpenKeys;
  readonly #keys: KeyService;
  readonly #audit: AuditLog;

  constructor(config: APIConfig, opened: OpenKeys) {
    this.#opened = opened;
    this.#keys = new KeyService({ storage: opened.keys });
    this.#audit = new AuditLog({
      storage: opened.audit,
      // What goes wrong, the caller is told.
      logger: createLogger({ debug: false, logLevel: 'silent', logFormat: 'json' }),
      report: () => {},
      redact: (text) => config.redact(text),
    });
  }

  async create(input: NewKeyInput): Promise<IssuedKey> {
    const issued = await this.#keys.create(BY, input);
    await this.#record('create', issued.id, issued);
    return issued;
  }

  list(query: Parameters<KeyService['list']>[1]): ReturnType<KeyService['list']> {
    return this.#keys.list(BY, query);
  }

  async change(keyId: string, changes: KeyChangesInput): Promise<KeyView> {
    const changed = await this.#keys.change(BY, keyId, changes);
    await this.#record('change', keyId, changed, changes);
    return changed;
  }

  async rotate(keyId: string, grace: number): Promise<IssuedKey> {
    const issued = await this.#keys.rotate(BY, keyId, { grace });
    await this.#record('rotate', keyId, issued);
    return issued;
  }

  async revoke(keyId: string): Promise<KeyView> {
    const revoked = await this.#keys.revoke(BY, keyId);
    await this.#record('revoke', keyId, revoked);
    return revoked;
  }

  async close(): Promise<void> {
    await this.#audit.close();
    await this.#opened.close();
  }

  async #record(action: KeyAction, keyId: string, now: KeyView, changes: object = {}): Promise<void> {
    await this.#audit.recordDurably(keyEvent(action, { by: BY, source: SOURCE, keyId, now, changes }));
  }
}
