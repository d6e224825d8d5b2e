import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../../config.ts';
import type { BrowserSessionRow, BrowserSessionStorage } from '../../storage/browser-sessions.ts';
import type { CookieVerifier } from '../authenticate.ts';
import { GatheredReads } from '../gathered-reads.ts';
import { rightsOf } from '../keys/key-principal.ts';
import type { KeyVerifier } from '../keys/verifier.ts';
import type { Credential, Principal } from '../principal.ts';
import { RecentRows } from '../recent-rows.ts';
import type { Uses } from '../uses.ts';
import { CSRF_HEADER, cookieOf, digestOf, idOf, isCsrfToken, makeCookie, proofOf } from './cookie.ts';
import { assertOwnPage, isRead } from './own-page.ts';

/** Browsers of one principal; a new one takes the place of the oldest. */
const MAX_OF_PRINCIPAL = 20;
const KINDS = ['bootstrap', 'key', 'jwt', 'custom'] as const satisfies readonly Credential['kind'][];
type Kind = (typeof KINDS)[number];

export interface BrowserSessionsParts {
  readonly config: APIConfig;
  readonly storage: BrowserSessionStorage;
  readonly keys: Pick<KeyVerifier, 'holder' | 'holderNow'>;
  readonly uses: Pick<Uses, 'note'>;
  /** Milliseconds since the Unix epoch. Default: the clock of the machine. */
  readonly now?: () => number;
}

/** What a browser gets, once. */
export interface BegunSession {
  readonly secret: string;
  readonly principal: Principal;
  /** Milliseconds for which the cookie can be good. */
  readonly lifetimeMs: number;
}

interface KnownBrowser {
  readonly secret: string;
  readonly row: BrowserSessionRow;
  readonly principal: Principal;
}

/**
 * Who a browser is, by its cookie. A session that was begun with a key allows what that key does at the time, and ends
 * with it; one that was begun with anything else allows what that did, for as long. What another process ends or changes
 * holds here within half a second.
 */
export class BrowserSessions implements CookieVerifier {
  readonly #parts: BrowserSessionsParts;
  readonly #reads: GatheredReads<BrowserSessionRow>;
  readonly #recent: RecentRows<BrowserSessionRow>;
  readonly #lifetimeMs: number;
  readonly #idleMs: number;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();

  constructor(parts: BrowserSessionsParts) {
    const { storage, config, now = Date.now } = parts;
    this.#parts = parts;
    this.#reads = new GatheredReads({ get: (ids) => storage.get(ids), idOf: ({ id }) => id });
    this.#recent = new RecentRows((id) => this.#reads.read(id));
    this.#lifetimeMs = config.values.browserSessionLifetime * 1000;
    this.#idleMs = config.values.browserSessionIdleTimeout * 1000;
    this.#now = now;
  }

  /** Told after sessions were ended here, so that what they keep open can be ended, too. MUST NOT throw. */
  onEnded(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** For whoever has just shown a credential. Throws `FORBIDDEN` where that is none to begin a session with. */
  async begin(holder: Principal): Promise<BegunSession> {
    const { credential } = holder;
    const kind = KINDS.find((known) => known === credential.kind);
    if (kind === undefined) throw new ApiError('FORBIDDEN', 'A session is begun with a credential');
    const now = this.#now();
    const expiresAt = Math.min(now + this.#lifetimeMs, credential.expiresAt ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const { secret, digest, id } = makeCookie();
      const row: BrowserSessionRow = {
        id,
        digest,
        proof: this.#proof(secret, kind),
        tenantId: holder.tenantId,
        principalId: holder.id,
        role: holder.role,
        scopes: holder.scopes,
        credentialKind: kind,
        credentialId: credential.id,
        createdAt: now,
        usedAt: now,
        expiresAt,
      };
      const removed = await this.#parts.storage.create(row, MAX_OF_PRINCIPAL);
      if (removed === null) continue;
      this.#ended(removed);
      return { secret, principal: this.#principal(row, holder), lifetimeMs: expiresAt - now };
    }
  }

  /** Throws `FORBIDDEN` for a request that a page from elsewhere could have sent. */
  async verify(request: IncomingMessage): Promise<Principal | null> {
    const found = await this.#known(request.headers);
    if (!found) return null;
    const { secret, row, principal } = found;
    assertOwnPage(request, this.#parts.config);
    if (!isRead(request) && !isCsrfToken(secret, request.headers[CSRF_HEADER.toLowerCase()])) {
      throw new ApiError('FORBIDDEN', `With a cookie this needs the header ${CSRF_HEADER}`);
    }
    this.#parts.uses.note(row.id, row.usedAt);
    return principal;
  }

  /** The same without a look at where the request comes from: that somebody was known lets nobody in. */
  async identify(headers: IncomingHttpHeaders): Promise<Principal | null> {
    return (await this.#known(headers))?.principal ?? null;
  }

  /** What the holder of a session may do now, as the storage says at this moment; null when nothing any more. */
  async recheck({ credential: { id } }: Principal): Promise<Principal | null> {
    if (id === null) return null;
    const row = await this.#reads.read(id);
    const principal = row && (await this.#current(row, (keyId) => this.#parts.keys.holderNow(keyId)));
    // Whose sockets are closed is not let in by what was read before.
    if (!principal) this.#recent.forget(id);
    return principal;
  }

  /** The person at the browser has done something, over a connection that is open already. */
  used({ credential: { kind, id } }: Principal): void {
    if (kind === 'session' && id !== null) this.#parts.uses.note(id, 0);
  }

  /** Resolves when the session is over, here at once, elsewhere within a second. To end it again is no error. */
  async end({ credential: { kind, id } }: Principal): Promise<void> {
    if (kind !== 'session' || id === null) return;
    await this.#parts.storage.delete(id);
    this.#ended([id]);
  }

  async #known(headers: IncomingHttpHeaders): Promise<KnownBrowser | null> {
    const secret = cookieOf(headers);
    const row = secret === null ? null : await this.#find(secret);
    if (secret === null || !row) return null;
    const principal = await this.#current(row, (keyId) => this.#parts.keys.holder(keyId));
    return principal && { secret, row, principal };
  }

  async #find(secret: string): Promise<BrowserSessionRow | null> {
    const digest = digestOf(secret);
    const row = await this.#recent.get(idOf(digest));
    if (!row || !timingSafeEqual(digest, row.digest)) return null;
    const kind = KINDS.find((known) => known === row.credentialKind);
    return kind !== undefined && timingSafeEqual(this.#proof(secret, kind), row.proof) ? row : null;
  }

  async #current(
    row: BrowserSessionRow,
    holderOf: (keyId: string) => Promise<Principal | null>,
  ): Promise<Principal | null> {
    const now = this.#now();
    if (this.#endOf(row) <= now) return null;
    if (row.credentialKind === 'key') {
      const holder = row.credentialId === null ? null : await holderOf(row.credentialId);
      return holder && this.#principal(row, holder);
    }
    const rights = rightsOf(row);
    const kind = KINDS.find((known) => known === row.credentialKind);
    if (!rights || kind === undefined) return null;
    const credential = { kind, id: row.credentialId, expiresAt: row.expiresAt };
    return this.#principal(row, {
      id: row.principalId,
      tenantId: row.tenantId,
      ...rights,
      local: false,
      credential,
    });
  }

  #principal(row: BrowserSessionRow, holder: Principal): Principal {
    const { credential: begunWith } = holder;
    const expiresAt = Math.min(this.#endOf(row), begunWith.expiresAt ?? Number.POSITIVE_INFINITY);
    return { ...holder, local: false, credential: { kind: 'session', id: row.id, expiresAt, begunWith } };
  }

  /** Unless it is used before. */
  #endOf({ usedAt, expiresAt }: BrowserSessionRow): number {
    return Math.min(expiresAt, usedAt + this.#idleMs);
  }

  /** A session does not outlive the part of the configuration that its credential came from. */
  #proof(secret: string, kind: Kind): Uint8Array {
    const { key, jwtSecret, jwtJwksUrl, jwtIssuer, jwtAudience } = this.#parts.config.values;
    const basis = {
      bootstrap: [key],
      jwt: [jwtSecret, jwtJwksUrl, jwtIssuer, jwtAudience],
      key: [],
      custom: [],
    }[kind];
    return proofOf(secret, JSON.stringify([kind, ...basis]));
  }

  #ended(ids: readonly string[]): void {
    for (const id of ids) this.#recent.forget(id);
    if (ids.length > 0) for (const listener of this.#listeners) listener();
  }
}
