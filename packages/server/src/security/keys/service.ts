import {
  ApiError,
  type IssuedKey,
  type KeyChangesInput,
  type KeyView,
  keyChangesSchema,
  type NewKeyInput,
  newKeySchema,
  type RotationInput,
  rotationSchema,
} from '@llmgine/protocol';
import type { KeyRow, KeyStorage } from '../../storage/keys.ts';
import { parseWith } from '../../validation.ts';
import { LAST_MOMENT } from '../last-moment.ts';
import { demand, may, PERMISSIONS } from '../permissions.ts';
import { OPERATOR, type Principal } from '../principal.ts';
import { type FreshKey, makeKey, randomText } from './format.ts';
import { isInUse, rightsOf } from './key-principal.ts';

/** Who belongs to it manages the keys of all tenants. */
const { tenantId: MAIN_TENANT } = OPERATOR;
const PRINCIPAL_LENGTH = 12;
/** Somebody else may change the same key between reading and writing, but not for ever. */
const MAX_ATTEMPTS = 5;
/** In what is wrong with it. */
const WHAT = 'The key';

const NEW = { lastUsedAt: null, revokedAt: null, successorId: null } as const;

export type KeyChange = 'created' | 'changed' | 'rotated' | 'revoked';
export interface KeyNotice {
  readonly change: KeyChange;
  readonly keyId: string;
  readonly tenantId: string;
  /** Whose key it is. */
  readonly principalId: string;
  /** Of `rotated`: the key that takes over. */
  readonly successorId?: string;
  /** Of `revoked`: whether it was used before, as far as is known. */
  readonly wasUsed?: boolean;
  readonly by: Principal;
}

export interface KeyServiceParts {
  readonly storage: KeyStorage;
  /** Milliseconds since the Unix epoch. Default: the clock of the machine. */
  readonly now?: () => number;
}

/**
 * Who manages keys needs the permission `admin`, and sees those of its own tenant; of all, when that is `default`. Nobody
 * gives a key more than they may do themselves. Rejects with `FORBIDDEN`, `VALIDATION_ERROR`, and with `NOT_FOUND` for
 * keys that are not there, or somebody else's, or not in use where they have to be.
 */
export class KeyService {
  readonly #storage: KeyStorage;
  readonly #now: () => number;
  readonly #listeners = new Set<(notice: KeyNotice) => void>();

  constructor({ storage, now = Date.now }: KeyServiceParts) {
    this.#storage = storage;
    this.#now = now;
  }

  /** Told after every change that this process makes; what others make, `KeyVerifier.recheck` tells. MUST NOT throw. */
  onChanged(listener: (notice: KeyNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async create(by: Principal, input: NewKeyInput): Promise<IssuedKey> {
    demand(by, 'admin');
    const { name, role, scopes, ...rest } = parseWith(newKeySchema, input, WHAT);
    const { tenant_id: tenantId = by.tenantId, principal_id, expires_at } = rest;
    if (by.tenantId !== MAIN_TENANT && tenantId !== by.tenantId) {
      throw new ApiError('FORBIDDEN', 'Keys of other tenants are not yours to make');
    }
    demandAll(by, { role, scopes });
    const createdAt = this.#now();
    const expiresAt = readExpiry(expires_at, createdAt);
    const principalId = principal_id ?? `user_${randomText(PRINCIPAL_LENGTH)}`;
    for (;;) {
      const fresh = makeKey();
      const { keyId, digest } = fresh;
      const row = { keyId, digest, name, tenantId, principalId, role, scopes, createdAt, expiresAt };
      // An id that exists is as likely as guessing one.
      if (!(await this.#storage.create(row))) continue;
      this.#tell({ change: 'created', keyId, tenantId, principalId, by });
      return this.#issued(fresh, { ...row, ...NEW });
    }
  }

  async list(
    by: Principal,
    query: {
      readonly limit: number;
      readonly before?: number | undefined;
      readonly tenantId?: string | undefined;
    },
  ): Promise<{ readonly keys: KeyView[]; readonly next: number | null }> {
    demand(by, 'admin');
    const own = by.tenantId === MAIN_TENANT ? query.tenantId : by.tenantId;
    if (query.tenantId !== undefined && query.tenantId !== own) return { keys: [], next: null };
    const { keys, next } = await this.#storage.list({ ...query, tenantId: own });
    return { keys: keys.map((row) => this.#view(row)), next };
  }

  async get(by: Principal, keyId: string): Promise<KeyView> {
    return this.#view(await this.#find(by, keyId));
  }

  async change(by: Principal, keyId: string, input: KeyChangesInput): Promise<KeyView> {
    const { expires_at, ...rest } = parseWith(keyChangesSchema, input, WHAT);
    return this.#attempt(by, keyId, async (row, now) => {
      const expiry = expires_at === undefined ? {} : { expiresAt: readExpiry(expires_at, now) };
      const changed: KeyRow = { ...row, ...defined(rest), ...expiry };
      demandAll(by, changed);
      if (!(await this.#storage.change(row, changed, now))) return null;
      this.#tell({ change: 'changed', keyId, ...ownerOf(row), by });
      return this.#view(changed);
    });
  }

  /** A new key of the same principal; the old one expires after the grace. */
  async rotate(by: Principal, keyId: string, input: RotationInput = {}): Promise<IssuedKey> {
    const { grace } = parseWith(rotationSchema, input, WHAT);
    return this.#attempt(by, keyId, async (row, now) => {
      if (row.successorId !== null) throw invalid('id', `was rotated already, to ${row.successorId}`);
      demandAll(by, row);
      const fresh = makeKey();
      // It lives as long as the old one was to live.
      const expiresAt =
        row.expiresAt === null ? null : Math.min(LAST_MOMENT, now + (row.expiresAt - row.createdAt));
      const successor = { keyId: fresh.keyId, digest: fresh.digest, createdAt: now, expiresAt };
      if (!(await this.#storage.rotate(row, successor, now + Math.round(grace * 1000)))) return null;
      this.#tell({ change: 'rotated', keyId, successorId: fresh.keyId, ...ownerOf(row), by });
      return this.#issued(fresh, { ...row, ...successor, ...NEW });
    });
  }

  /** Once revoked, it stays so; to revoke it again is no error. */
  async revoke(by: Principal, keyId: string): Promise<KeyView> {
    const row = await this.#find(by, keyId);
    const revokedAt = row.revokedAt ?? this.#now();
    if (!(await this.#storage.revoke(keyId, revokedAt))) throw notFound();
    this.#tell({ change: 'revoked', keyId, wasUsed: row.lastUsedAt !== null, ...ownerOf(row), by });
    return this.#view({ ...row, revokedAt });
  }

  /** `act` gives null when the key is not any more what it was given. */
  async #attempt<Result>(
    by: Principal,
    keyId: string,
    act: (row: KeyRow, now: number) => Promise<Result | null>,
  ): Promise<Result> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = await this.#find(by, keyId);
      const now = this.#now();
      if (!isInUse(row, now)) throw notFound();
      const result = await act(row, now);
      if (result !== null) return result;
    }
    throw new ApiError('UNAVAILABLE', 'The key is being changed by others');
  }

  async #find(by: Principal, keyId: string): Promise<KeyRow> {
    demand(by, 'admin');
    const [row] = await this.#storage.get([keyId]);
    if (!row || (by.tenantId !== MAIN_TENANT && row.tenantId !== by.tenantId)) throw notFound();
    return row;
  }

  #tell(notice: KeyNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  #issued({ key }: FreshKey, row: KeyRow): IssuedKey {
    return { ...this.#view(row), key };
  }

  #view(row: KeyRow): KeyView {
    const ended = row.revokedAt === null ? 'expired' : 'revoked';
    return {
      id: row.keyId,
      name: row.name,
      tenant_id: row.tenantId,
      principal_id: row.principalId,
      role: row.role,
      scopes: row.scopes === null ? null : [...row.scopes],
      created_at: time(row.createdAt),
      expires_at: row.expiresAt === null ? null : time(row.expiresAt),
      last_used_at: row.lastUsedAt === null ? null : time(row.lastUsedAt),
      revoked_at: row.revokedAt === null ? null : time(row.revokedAt),
      successor_id: row.successorId,
      status: isInUse(row, this.#now()) ? 'active' : ended,
    };
  }
}

function ownerOf({ tenantId, principalId }: KeyRow): Pick<KeyNotice, 'tenantId' | 'principalId'> {
  return { tenantId, principalId };
}

/** Nobody gives more than they have. */
function demandAll(by: Principal, given: Pick<KeyRow, 'role' | 'scopes'>): void {
  const rights = rightsOf(given);
  if (!rights) throw new ApiError('FORBIDDEN', 'The role of the key is unknown to this server');
  const beyond = PERMISSIONS.find((permission) => may(rights, permission) && !may(by, permission));
  if (beyond === undefined) return;
  throw new ApiError('FORBIDDEN', `The key would have the permission "${beyond}", which you do not have`);
}

function readExpiry(text: string | null, now: number): number | null {
  if (text === null) return null;
  const at = Date.parse(text);
  if (at > LAST_MOMENT) throw invalid('expires_at', 'must be before the year 10000');
  if (at > now) return at;
  throw invalid('expires_at', 'must be in the future');
}

function invalid(path: string, message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', `${path}: ${message}`, { errors: [{ path, message }] });
}

function notFound(): ApiError {
  return new ApiError('NOT_FOUND', 'There is no such key in use');
}

function time(at: number): string {
  return new Date(at).toISOString();
}

type Defined<Values> = { [Name in keyof Values]: Exclude<Values[Name], undefined> };

function defined<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Defined<Values>;
}
