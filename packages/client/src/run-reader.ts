/** Reads the events of a run in order: from what is kept, and from the log where that is not enough. */
import type { SessionEvent } from '@llmgine/protocol/wire';
import { persist } from './rest/persist.ts';
import type { EventPage } from './rest/types.ts';
import { type RunFeed, seqOf } from './run-feed.ts';

export type ReadLog = (after: string) => Promise<EventPage>;

export class RunReader implements AsyncIterator<SessionEvent, undefined> {
  readonly #feed: RunFeed;
  readonly #readLog: ReadLog;
  readonly #fetched: SessionEvent[] = [];
  #place: { cursor: string; seq: number } | null = null;
  #ended = false;
  /** Calls of `next` that come before the last one is done wait for it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(feed: RunFeed, readLog: ReadLog) {
    this.#feed = feed;
    this.#readLog = readLog;
  }

  next(): Promise<IteratorResult<SessionEvent, undefined>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Leaving the loop leaves the run alone. */
  async return(): Promise<IteratorResult<SessionEvent, undefined>> {
    this.#ended = true;
    return { done: true, value: undefined };
  }

  async #next(): Promise<IteratorResult<SessionEvent, undefined>> {
    const feed = this.#feed;
    if (!this.#place && !this.#ended) {
      const { cursor } = await feed.accepted;
      this.#place = { cursor, seq: seqOf(cursor) };
    }
    while (!this.#ended && this.#place) {
      const fetched = this.#fetched.shift();
      if (fetched) return this.#give(fetched);
      const event = feed.after(this.#place.seq);
      if (event === 'missing') await this.#fetch(this.#place);
      else if (event) return this.#give(event);
      else if (feed.finished) break;
      else if (feed.error !== null) throw feed.error;
      else await feed.changed();
    }
    this.#ended = true;
    return { done: true, value: undefined };
  }

  #give(event: SessionEvent): IteratorResult<SessionEvent, undefined> {
    this.#place = { cursor: event.cursor, seq: event.seq };
    this.#ended ||= event.event_type === 'run_finished';
    return { done: false, value: event };
  }

  async #fetch(place: { cursor: string; seq: number }): Promise<void> {
    // What comes while it is read is kept, so up to here is enough.
    const enough = this.#feed.completeFrom;
    // A network that fails ends no loop, as long as the session goes on.
    const page = await persist(() => this.#readLog(place.cursor), this.#feed.givenUp);
    // Where the log does not go back so far, what is gone is skipped.
    const seq =
      page.resync_required || !page.has_more ? Math.max(enough, seqOf(page.cursor)) : seqOf(page.cursor);
    if (!page.resync_required) {
      this.#fetched.push(...page.events.filter(({ run_id }) => run_id === this.#feed.runId));
    }
    this.#place = { cursor: page.cursor, seq };
  }
}
