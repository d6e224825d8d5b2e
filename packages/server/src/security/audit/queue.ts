import { RateLimiter } from '../limits/rate-limiter.ts';
import { coarseDraft, type Draft, foldKey } from './draft.ts';

/**
 * Entries of refused strangers, each of another source: so many at once, and two a second. Nothing is ever removed from the
 * log, and whoever has a network of its own has more sources than a disk has room.
 */
const STRANGERS = { policy: 'strangers', limit: 1000, window: 500 };

/**
 * What waits to be written, oldest first. What happens again while it waits is counted instead of waiting beside it, so a
 * burst is few entries. Nothing is dropped: when more sources take part than there is room for, or more strangers than may
 * be told apart, those that come last share one entry for each kind of event.
 */
export class AuditQueue {
  readonly #max: number;
  readonly #drafts = new Map<string, Draft>();
  readonly #strangers = new RateLimiter(STRANGERS);

  /** @param max Drafts at most, besides those that are `add`ed to be alone and one for each kind of event. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#drafts.size;
  }

  /** An entry of its own. */
  addAlone(draft: Draft): void {
    this.#drafts.set(draft.id, draft);
  }

  fold(draft: Draft): void {
    const key = foldKey(draft);
    const same = this.#drafts.get(key);
    if (same) {
      count(same, draft.at);
    } else if (this.#drafts.size < this.#max && this.#mayStandAlone(draft)) {
      this.#drafts.set(key, draft);
    } else {
      this.#foldCoarsely(draft);
    }
  }

  /** Removes the oldest ones. */
  take(limit: number): Draft[] {
    const taken: Draft[] = [];
    for (const [key, draft] of this.#drafts) {
      if (taken.length === limit) break;
      taken.push(draft);
      this.#drafts.delete(key);
    }
    return taken;
  }

  delete(draft: Draft): void {
    this.#drafts.delete(draft.id);
  }

  #mayStandAlone({ fields: { outcome, principal } }: Draft): boolean {
    if (outcome !== 'refused' || principal !== null) return true;
    return this.#strangers.take(STRANGERS.policy).retryAfter === 0;
  }

  #foldCoarsely(draft: Draft): void {
    const coarse = coarseDraft(draft);
    const key = foldKey(coarse);
    const same = this.#drafts.get(key);
    if (same) count(same, draft.at);
    else this.#drafts.set(key, coarse);
  }
}

function count(draft: Draft, at: number): void {
  draft.count++;
  draft.lastAt = Math.max(draft.lastAt, at);
}
