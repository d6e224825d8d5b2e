/** Watches for callers that guess: credentials, and the ids of what is not theirs. */
import { ApiError } from '@llmgine/protocol';
import { callerOf } from '../limits/caller.ts';
import type { Principal } from '../principal.ts';
import { HeldAnswers } from './held-answers.ts';
import { Suspects } from './suspects.ts';

/** A source was blocked. */
export interface Abuse {
  /** `failures`: the same credential again and again; `key_spraying`: many different ones; `id_probing`: ids of sessions. */
  readonly kind: 'failures' | 'key_spraying' | 'id_probing';
  /** The address where it comes from; of a known caller the last one. */
  readonly source: string;
  readonly principal: Principal | null;
  readonly blockedSeconds: number;
}

export interface GuardOptions {
  /** What it throws goes nowhere: it is called while a request is refused. */
  readonly onAbuse: (abuse: Abuse) => void;
}

/** A person who mistypes, or a client with an old key, is far from it; a list of keys is not. */
const CREDENTIALS = {
  pointsOfNew: 3,
  pointsOfSame: 1,
  forgiven: 0.5,
  slowAt: 10,
  blockAt: 50,
  blockSeconds: 60,
  maxBlockSeconds: 3600,
};
/** A client whose sessions have all expired comes back with each of them once. */
const IDS = {
  pointsOfNew: 1,
  pointsOfSame: 0.1,
  forgiven: 1,
  slowAt: 50,
  blockAt: 200,
  blockSeconds: 60,
  maxBlockSeconds: 3600,
};
/**
 * Signed tokens are not guessed, but expire, each on its own: after a night all clients of an office come with old ones.
 */
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const SIGNED_WEIGHT = 0.25;
/** So many different ones are not a client with an old key. */
const SPRAYED = 8;

/** Blocks the source of bad credentials, and the caller that looks for ids: whoever else is there goes on. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #sources = new Suspects(CREDENTIALS);
  readonly #callers = new Suspects(IDS);
  readonly #held = new HeldAnswers();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Throws `RATE_LIMITED` when the source is blocked. Costs no look-up. */
  admitSource(source: string): void {
    assertFree(this.#sources.blockedFor(source), 'Too many credentials from this address were not valid');
  }

  /** Throws `RATE_LIMITED` when the caller is blocked. */
  admitCaller(principal: Principal): void {
    if (principal.local) return;
    assertFree(
      this.#callers.blockedFor(callerOf(principal)),
      'Too many sessions were asked for that are not there',
    );
  }

  /** A credential was not valid. Resolves when that may be answered. */
  async credentialFailed(source: string, offered: string): Promise<void> {
    const weight = SIGNED.test(offered) ? SIGNED_WEIGHT : 1;
    const { delayMs, blocked } = this.#sources.failed(source, offered, weight);
    if (blocked) {
      const kind = blocked.tried >= SPRAYED ? 'key_spraying' : 'failures';
      this.#options.onAbuse({ kind, source, principal: null, blockedSeconds: blocked.seconds });
    }
    await this.#held.hold(source, delayMs);
  }

  /** A caller has asked for a session that is not there, or not its own. Resolves when that may be answered. */
  async sessionMissed(principal: Principal, source: string, sessionId: string): Promise<void> {
    if (principal.local) return;
    const caller = callerOf(principal);
    const { delayMs, blocked } = this.#callers.failed(caller, sessionId);
    if (blocked) {
      this.#options.onAbuse({ kind: 'id_probing', source, principal, blockedSeconds: blocked.seconds });
    }
    await this.#held.hold(caller, delayMs);
  }

  /** How many answers are held back. */
  get held(): number {
    return this.#held.count;
  }

  close(): void {
    this.#held.close();
  }
}

function assertFree(blockedFor: number, reason: string): void {
  if (blockedFor <= 0) return;
  throw new ApiError('RATE_LIMITED', `${reason}; it is blocked for a while`, {
    retryAfter: Math.max(1, Math.ceil(blockedFor)),
  });
}
