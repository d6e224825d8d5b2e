import { createHash, randomBytes } from 'node:crypto';
import { BoundedMap } from '../limits/bounded-map.ts';

export interface SuspectsOptions {
  /** Points of a failure with something that this source has not tried just before. */
  readonly pointsOfNew: number;
  /** Points of a failure with the same again, as a client does that has nothing better. */
  readonly pointsOfSame: number;
  /** Points that are forgiven each second. */
  readonly forgiven: number;
  /** With so many points the answers become slow. */
  readonly slowAt: number;
  /** With so many points the source is blocked. */
  readonly blockAt: number;
  /** Seconds of the first block; each further one is twice as long. */
  readonly blockSeconds: number;
  readonly maxBlockSeconds: number;
  /** How many sources are remembered. Default: 20,000. */
  readonly maxSources?: number;
}

/** What a failure has led to. */
export interface Verdict {
  /** Milliseconds by which the answer is held back. */
  readonly delayMs: number;
  /** Set by the failure that led to a block: its seconds, and how much of what was tried was new. */
  readonly blocked: { readonly seconds: number; readonly tried: number } | null;
}

interface Suspect {
  points: number;
  at: number;
  /** What was tried just before, as digests. */
  tried: number[];
  /** How often something new was tried since the last block. */
  distinct: number;
  blockedUntil: number;
  blocks: number;
}

const MAX_SOURCES = 20_000;
const REMEMBERED_TRIES = 8;
const MAX_DELAY_MS = 2000;
const FIRST_DELAY_MS = 50;
/** Seconds of good conduct after which an earlier block is forgotten. */
const FORGET_BLOCKS_AFTER = 3600;

/** Who fails again and again: it becomes slow, then it is blocked for a while, and set free without anybody's help. */
export class Suspects {
  readonly #options: SuspectsOptions;
  readonly #suspects: BoundedMap<Suspect>;
  /** What was tried may be a secret with a typo: nothing that is kept can be compared with it from outside. */
  readonly #salt = randomBytes(16);

  constructor(options: SuspectsOptions) {
    this.#options = Object.freeze({ ...options });
    this.#suspects = new BoundedMap(options.maxSources ?? MAX_SOURCES);
  }

  get size(): number {
    return this.#suspects.size;
  }

  /** Seconds for which the source is still blocked; 0 when it is not. */
  blockedFor(source: string): number {
    const suspect = this.#suspects.get(source);
    return suspect ? Math.max(0, (suspect.blockedUntil - performance.now()) / 1000) : 0;
  }

  /** @param weight What a failure counts, compared with others. */
  failed(source: string, tried: string, weight = 1): Verdict {
    const now = performance.now();
    const suspect = this.#current(source, now);
    if (suspect.blockedUntil > now) return { delayMs: 0, blocked: null };
    const isNew = this.#remember(suspect, tried);
    suspect.points += weight * (isNew ? this.#options.pointsOfNew : this.#options.pointsOfSame);
    if (suspect.points < this.#options.blockAt) return { delayMs: this.#delay(suspect), blocked: null };
    const { blockSeconds, maxBlockSeconds } = this.#options;
    const seconds = Math.min(maxBlockSeconds, blockSeconds * 2 ** Math.min(suspect.blocks, 30));
    const blocked = { seconds, tried: suspect.distinct };
    Object.assign(suspect, { points: 0, distinct: 0, blocks: suspect.blocks + 1 });
    suspect.blockedUntil = now + seconds * 1000;
    return { delayMs: 0, blocked };
  }

  #current(source: string, now: number): Suspect {
    const known = this.#suspects.get(source);
    if (!known) {
      const suspect = { points: 0, at: now, tried: [], distinct: 0, blockedUntil: 0, blocks: 0 };
      this.#suspects.set(source, suspect);
      return suspect;
    }
    known.points = Math.max(0, known.points - ((now - known.at) / 1000) * this.#options.forgiven);
    if (now - Math.max(known.at, known.blockedUntil) > FORGET_BLOCKS_AFTER * 1000) known.blocks = 0;
    if (known.points === 0) known.distinct = 0;
    known.at = now;
    return known;
  }

  /** Whether it is something new. */
  #remember(suspect: Suspect, tried: string): boolean {
    const digest = createHash('sha256').update(this.#salt).update(tried).digest().readUIntBE(0, 6);
    if (suspect.tried.includes(digest)) return false;
    suspect.tried.push(digest);
    if (suspect.tried.length > REMEMBERED_TRIES) suspect.tried.shift();
    suspect.distinct++;
    return true;
  }

  #delay({ points }: Suspect): number {
    const { slowAt, blockAt } = this.#options;
    if (points < slowAt) return 0;
    const part = (points - slowAt) / (blockAt - slowAt);
    return Math.round(FIRST_DELAY_MS * (MAX_DELAY_MS / FIRST_DELAY_MS) ** part);
  }
}
