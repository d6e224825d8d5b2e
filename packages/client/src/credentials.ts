/** A token, or what gets one: called when one is needed, and again when the server does not accept the last one any more. */
export type TokenSource = string | (() => string | Promise<string>);

/** Before its end a token is replaced by so much, so that what is on its way still counts. */
const MARGIN_MS = 30_000;
/** The same as a part of its life, where that is short. */
const MARGIN_PART = 1 / 8;

interface Current {
  readonly token: Promise<string>;
  /** Null until the callback has answered. */
  value: string | null;
  expiresAt: number | null;
  /** Then another one is needed. */
  goodUntil: number;
}

/** The credential of a client. A token of a callback is kept until it is refused or about to expire. */
export class Credentials {
  readonly #source: TokenSource | undefined;
  readonly #csrfToken: (() => string | null) | undefined;
  #current: Current | null = null;

  constructor(source: TokenSource | undefined, csrfToken: (() => string | null) | undefined) {
    this.#source = source;
    this.#csrfToken = csrfToken;
  }

  /** Whether there can be another token after one that was refused. */
  get canRefresh(): boolean {
    return typeof this.#source === 'function';
  }

  /** Whether a socket has to show something: a token, or the cookie of somebody who has logged in. */
  get needsTicket(): boolean {
    return this.#source !== undefined || this.csrfToken !== null;
  }

  get csrfToken(): string | null {
    return this.#csrfToken?.() ?? null;
  }

  /** Null when there is none. Rejects with what the callback rejects with. */
  async token(): Promise<string | null> {
    const source = this.#source;
    if (source === undefined) return null;
    if (typeof source === 'string') return source;
    if (this.#current && this.#current.goodUntil <= Date.now()) this.#current = null;
    this.#current ??= this.#fetch(source);
    return this.#current.token;
  }

  /** When the token that is in use expires, as far as it is known: milliseconds since 1970, or null. */
  get expiresAt(): number | null {
    return this.#current?.expiresAt ?? null;
  }

  /** This token was refused, or is about to be: the next call of `token` gets another one, unless somebody has already. */
  invalidate(token: string | null): void {
    if (this.#current?.value === token) this.#current = null;
  }

  /** The token that is in use; null when there is none yet. */
  get value(): string | null {
    return this.#current?.value ?? null;
  }

  #fetch(source: () => string | Promise<string>): Current {
    const current: Current = {
      token: Promise.resolve().then(source).then(mustBeText),
      value: null,
      expiresAt: null,
      goodUntil: Number.POSITIVE_INFINITY,
    };
    current.token.then(
      (token) => {
        current.value = token;
        const expiresAt = jwtExpiry(token);
        // One that has expired when it comes shows that the clock here is wrong: the server says when it has.
        if (expiresAt === null || expiresAt <= Date.now()) return;
        current.expiresAt = expiresAt;
        current.goodUntil = expiresAt - Math.min(MARGIN_MS, (expiresAt - Date.now()) * MARGIN_PART);
      },
      () => {
        if (this.#current === current) this.#current = null;
      },
    );
    return current;
  }
}

/** Who has not logged in yet has null, whatever the types say. */
function mustBeText(token: unknown): string {
  if (typeof token !== 'string') throw new TypeError('The callback for tokens has to give a text');
  return token;
}

/** When a JWT says that it expires; null for every other token. */
export function jwtExpiry(token: string): number | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    const text = atob((parts[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const { exp } = JSON.parse(text) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : null;
  } catch {
    return null;
  }
}
