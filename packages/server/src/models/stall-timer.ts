export interface ModelTimeouts {
  /** Milliseconds to open a connection. Default 10 000. */
  readonly connect: number;
  /** Milliseconds from the request to the first bytes of the answer: a long prompt takes long. Default 120 000. */
  readonly firstToken: number;
  /** Milliseconds without any bytes after that; keep-alive comments count. Default 60 000. */
  readonly betweenChunks: number;
  /** Milliseconds to end the response after the end of the answer, else its connection is not used again. Default 1000. */
  readonly afterEnd: number;
}

export const MODEL_TIMEOUTS: ModelTimeouts = Object.freeze({
  connect: 10_000,
  firstToken: 120_000,
  betweenChunks: 60_000,
  afterEnd: 1000,
});

/** Notices that a provider sends nothing any more. One timer a call; progress only moves its deadline. */
export class StallTimer {
  readonly #timeouts: ModelTimeouts;
  readonly #onStall: (ms: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #ms: number;

  /** Starts with `firstToken`. */
  constructor(timeouts: ModelTimeouts, onStall: (ms: number) => void) {
    this.#timeouts = timeouts;
    this.#onStall = onStall;
    this.#ms = timeouts.firstToken;
    this.resume();
  }

  progress(): void {
    if (this.#timer === undefined) return;
    if (this.#ms === this.#timeouts.betweenChunks) {
      this.#timer.refresh();
      return;
    }
    this.#ms = this.#timeouts.betweenChunks;
    this.pause();
    this.resume();
  }

  /** While we do not read, silence is our own doing. */
  pause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    this.#timer ??= setTimeout(this.#onStall, this.#ms, this.#ms);
  }
}
