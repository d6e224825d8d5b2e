import type { Credential, Principal } from './principal.ts';

/** Half of what a change may take until it counts: asking takes its time, too. */
const POLL_MS = 500;
/** Timers do not notice that the clock was set. */
const MAX_SLEEP_MS = 30_000;
/** Those that gave commands are watched without a connection so long after the last one, and not more of them. */
const REMEMBERED_MS = 3_600_000;
const MAX_REMEMBERED = 10_000;

/** What a credential keeps open: a socket or a stream. None of its methods may throw. */
export interface LiveUse {
  readonly principal: Principal;
  /** The same principal may do something else now, or until another time. */
  changed(principal: Principal): void;
  ended(why: 'expired' | 'revoked'): void;
}

export interface LiveCredentialsOptions {
  /** The kinds of credentials that may change while they are used. */
  readonly kinds: readonly Credential['kind'][];
  /**
   * What the holder of a credential may do now; null when it was revoked. MUST NOT answer from a cache. Rejects when it
   * cannot know; then everything stays as it is until the next look.
   */
  readonly recheck: (principal: Principal) => Promise<Principal | null>;
  /** Told once of each credential that was revoked while it was used, or soon after. MUST NOT throw. */
  readonly onRevoked: (principal: Principal) => void;
  readonly report: (stage: string, error: unknown) => void;
}

interface Watched {
  principal: Principal;
  readonly uses: Set<LiveUse>;
  /** When nobody has to be told any more that used it without a connection; monotonic. */
  rememberedUntil: number;
}

/**
 * Ends what was opened with a credential when the credential ends: at the moment when it expires, and within a second
 * after it was revoked or may do less. One timer for everything that expires, and one that asks, for all credentials
 * together, whether they still hold; none while there is nothing to ask.
 */
export class LiveCredentials {
  readonly #options: LiveCredentialsOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #expiring = new Set<LiveUse>();
  #expiry: NodeJS.Timeout | null = null;
  #expiryAt = Number.POSITIVE_INFINITY;
  #poll: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #failing = false;
  #closed = false;

  constructor(options: LiveCredentialsOptions) {
    this.#options = options;
  }

  /** One that has expired already is ended soon, not at once. */
  add(use: LiveUse): void {
    const { credential } = use.principal;
    if (credential.expiresAt !== null) {
      this.#expiring.add(use);
      this.#schedule(credential.expiresAt);
    }
    this.#watch(use.principal)?.uses.add(use);
  }

  delete(use: LiveUse): void {
    this.#expiring.delete(use);
    this.#watched.get(keyOf(use.principal))?.uses.delete(use);
  }

  /** The use goes on with another credential of the same principal, or with the same one that has changed. */
  replace(use: LiveUse, principal: Principal): void {
    this.delete(use);
    use.changed(principal);
    this.add(use);
  }

  /**
   * What the principal has set going goes on without it: its credential is watched for a while all the same. Of the session
   * of a browser, it is what it was begun with: who logs out stops nothing.
   */
  remember(used: Principal): void {
    const principal = beginnerOf(used);
    const watched = this.#watch(principal);
    if (!watched) return;
    watched.rememberedUntil = performance.now() + REMEMBERED_MS;
    // To the end: those that were not used for longest go first.
    const key = keyOf(principal);
    this.#watched.delete(key);
    this.#watched.set(key, watched);
  }

  /** Whether the credential of this principal still holds: as it is now, or null. */
  async current(principal: Principal): Promise<Principal | null> {
    const now = this.#canChange(principal) ? await this.#options.recheck(principal) : principal;
    return now && !hasExpired(now) ? now : null;
  }

  /** Asks now. Resolves when everything that has ended is told. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  close(): void {
    this.#closed = true;
    if (this.#expiry) clearTimeout(this.#expiry);
    if (this.#poll) clearTimeout(this.#poll);
    this.#watched.clear();
    this.#expiring.clear();
  }

  #canChange({ credential: { kind, id } }: Principal): boolean {
    return id !== null && this.#options.kinds.includes(kind);
  }

  #watch(principal: Principal): Watched | undefined {
    if (this.#closed || !this.#canChange(principal)) return undefined;
    const key = keyOf(principal);
    let watched = this.#watched.get(key);
    if (!watched) {
      watched = { principal, uses: new Set(), rememberedUntil: 0 };
      this.#watched.set(key, watched);
      this.#trim();
    }
    this.#schedulePoll();
    return watched;
  }

  #trim(): void {
    let over = this.#watched.size - MAX_REMEMBERED;
    for (const [key, { uses }] of this.#watched) {
      if (over-- <= 0) return;
      if (uses.size === 0) this.#watched.delete(key);
    }
  }

  #schedulePoll(): void {
    if (this.#closed || this.#poll || this.#watched.size === 0) return;
    this.#poll = setTimeout(() => {
      void this.look().finally(() => {
        this.#poll = null;
        this.#schedulePoll();
      });
    }, POLL_MS).unref();
  }

  async #look(): Promise<void> {
    const now = performance.now();
    for (const [key, { uses, rememberedUntil }] of this.#watched) {
      if (uses.size === 0 && rememberedUntil <= now) this.#watched.delete(key);
    }
    try {
      await Promise.all([...this.#watched].map(([key, watched]) => this.#recheck(key, watched)));
      this.#failing = false;
    } catch (error) {
      // Once, and not twice a second.
      if (!this.#failing && !this.#closed) this.#options.report('looking after credentials', error);
      this.#failing = true;
    }
  }

  async #recheck(key: string, watched: Watched): Promise<void> {
    const asked = watched.principal;
    const now = await this.#options.recheck(asked);
    if (this.#watched.get(key) !== watched) return;
    if (now && now.id === asked.id && now.tenantId === asked.tenantId) {
      watched.principal = now;
      // Each on its own: one that came later may have brought what was known before.
      for (const use of [...watched.uses]) {
        if (!isSame(now, use.principal)) this.replace(use, { ...now, local: use.principal.local });
      }
      return;
    }
    this.#watched.delete(key);
    const why = hasExpired(asked) ? 'expired' : 'revoked';
    for (const use of [...watched.uses]) {
      this.delete(use);
      use.ended(why);
    }
    if (why === 'revoked') this.#options.onRevoked(asked);
  }

  #schedule(at: number): void {
    if (this.#closed || at >= this.#expiryAt) return;
    this.#expiryAt = at;
    if (this.#expiry) clearTimeout(this.#expiry);
    const wait = Math.min(Math.max(at - Date.now(), 0), MAX_SLEEP_MS);
    this.#expiry = setTimeout(() => this.#expire(), wait).unref();
  }

  #expire(): void {
    this.#expiryAt = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const use of [...this.#expiring]) {
      if (hasExpired(use.principal)) {
        this.delete(use);
        use.ended('expired');
      } else {
        next = Math.min(next, use.principal.credential.expiresAt ?? next);
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#schedule(next);
  }
}

/** The same principal, by the credential that can stop what it has set going. */
export function beginnerOf(principal: Principal): Principal {
  const { begunWith } = principal.credential;
  return begunWith ? { ...principal, credential: begunWith } : principal;
}

function keyOf({ credential: { kind, id } }: Principal): string {
  return `${kind}\n${id}`;
}

function hasExpired({ credential: { expiresAt } }: Principal): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

/** Of one credential: whether it allows the same, for as long. */
function isSame(a: Principal, b: Principal): boolean {
  return (
    a.role === b.role &&
    a.credential.expiresAt === b.credential.expiresAt &&
    (a.scopes?.join() ?? null) === (b.scopes?.join() ?? null)
  );
}
