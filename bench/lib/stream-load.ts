/** Streams that are watched from several processes, as if it were one. */
import type { StreamsPart, StreamsSeen } from '../clients/streams.ts';
import { Clients } from './clients.ts';
import { Latencies, type Quantiles } from './latencies.ts';
import type { Target } from './sockets.ts';

const PROCESSES = 2;
/** What the first token may take at most, and a token after it. */
const GRACE = 250;

export interface Streams {
  readonly streams: number;
  readonly tokens: number;
  /** Tokens a second; 0: full speed. */
  readonly rate: number;
  /** Over so many milliseconds the prompts are spread. */
  readonly spread: number;
  /** Milliseconds after the last token was due until what has not ended is given up. Default a minute. */
  readonly patience?: number;
}

export interface StreamsResult {
  readonly tokens: number;
  readonly frames: number;
  /** Streams that did not show all of their tokens, or that failed. */
  readonly failed: number;
  /** Milliseconds from when a token was due until it was seen. */
  readonly lateness: Quantiles;
  /** Milliseconds from when a prompt was due until its first token was seen. */
  readonly firstToken: Quantiles;
  /** Of the tokens that were due, how many came. */
  readonly arrived: number;
  /** Of the tokens that were due, how many came soon after they would have been due at a server that is never late. */
  readonly inTime: number;
  /** What the clients took of one core. */
  readonly clientShare: number;
}

export class StreamLoad {
  readonly #clients: Clients;
  readonly #target: Target;
  #due = 0;

  private constructor(clients: Clients, target: Target) {
    this.#clients = clients;
    this.#target = target;
  }

  static async start(target: Target, streams: number): Promise<StreamLoad> {
    return new StreamLoad(await Clients.start('clients/streams.ts', Math.min(PROCESSES, streams)), target);
  }

  async open({ streams, tokens, rate, spread, patience = 60_000 }: Streams): Promise<void> {
    const { count } = this.#clients;
    const each = spread / streams;
    const part = (index: number): StreamsPart & Target => ({
      ...this.#target,
      streams: Math.floor((streams + count - 1 - index) / count),
      tokens,
      rate,
      first: each * index,
      step: each * count,
      grace: GRACE,
      patience,
    });
    this.#due = streams * tokens;
    await this.#clients.open(Array.from({ length: count }, (_, index) => part(index)));
  }

  async go(): Promise<StreamsResult> {
    const { results, share } = await this.#clients.go<StreamsSeen>();
    const sum = (of: (seen: StreamsSeen) => number) => results.reduce((total, seen) => total + of(seen), 0);
    const tokens = sum((seen) => seen.tokens);
    return {
      tokens,
      frames: sum(({ frames }) => frames),
      failed: sum(({ failed }) => failed),
      lateness: Latencies.merged(results.map(({ lateness }) => lateness)).quantiles(),
      firstToken: Latencies.merged(results.map(({ firstToken }) => firstToken)).quantiles(),
      arrived: tokens / this.#due,
      inTime: sum(({ inTime }) => inTime) / this.#due,
      clientShare: share,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients[Symbol.asyncDispose]();
  }
}
