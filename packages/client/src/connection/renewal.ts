/** Replaces the credential of an open connection before it expires, where that is known and there can be another one. */
import type { Credentials } from '../credentials.ts';

/** Before the end, so that the new one is there in time. */
const EARLY_MS = 30_000;
/** What timers can wait. */
const MAX_WAIT_MS = 2 ** 31 - 1;
/** A token that is about to expire when it comes must not keep everybody busy. */
const MIN_WAIT_MS = 1_000;

export class Renewal {
  readonly #credentials: Credentials;
  /** Shows the server the new token. */
  readonly #show: (token: string) => Promise<{ readonly expires_at: string | null }>;
  /** What the connection was opened with. Other sessions use it, too, and one of them may have replaced it already. */
  #token: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    credentials: Credentials,
    show: (token: string) => Promise<{ readonly expires_at: string | null }>,
  ) {
    this.#credentials = credentials;
    this.#show = show;
  }

  /** There is a connection with the credential that is in use. */
  start(): void {
    this.#token = this.#credentials.value;
    this.#schedule(this.#credentials.expiresAt);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(expiresAt: number | null): void {
    clearTimeout(this.#timer);
    if (expiresAt === null || !this.#credentials.canRefresh) return;
    const left = expiresAt - Date.now();
    // The clock here is wrong: the server closes the connection when it is time.
    if (left <= 0) return;
    // Of a short life the last quarter is early enough.
    const wait = Math.max(MIN_WAIT_MS, left - Math.min(EARLY_MS, left / 4));
    this.#timer = setTimeout(() => void this.#renew(), Math.min(wait, MAX_WAIT_MS));
  }

  async #renew(): Promise<void> {
    const credentials = this.#credentials;
    try {
      credentials.invalidate(this.#token);
      const token = await credentials.token();
      if (token === null) return;
      this.#token = token;
      const { expires_at: expiresAt } = await this.#show(token);
      this.#schedule(credentials.expiresAt ?? (expiresAt === null ? null : Date.parse(expiresAt)));
    } catch {
      // The server closes the connection when the old one has expired, and then there is another attempt.
    }
  }
}
