import type { Usage } from '@llmgine/protocol';
import { estimateUse } from '../storage/settlement.ts';
import type { TokenPrice } from '../storage/types.ts';

/** Most tokenisers take about four characters of English for a token. */
const CHARACTERS_PER_TOKEN = 4;
/** No model that keeps to its limit says more: tokens of so many characters are rare, and never come one after the other. */
const MAX_CHARACTERS_PER_TOKEN = 8;
const MARGIN = 200;
/** Far more tokens, or cost, than any call can have. Sums of larger numbers could not be read again one day. */
const MAX_PLAUSIBLE = 1e9;

export function tokensIn(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN);
}

/** Calls of models under way that are under a budget: what they count when their provider does not say. */
export class CallMeter {
  readonly #onOverrun: (allowed: number) => void;
  #call: { inputTokens: number; price: TokenPrice | null } | null = null;
  #allowed = Number.POSITIVE_INFINITY;
  #said = 0;

  /** @param onOverrun A model says far more than it was allowed. */
  constructor(onOverrun: (allowed: number) => void) {
    this.#onOverrun = onOverrun;
  }

  /** A call is about to be made; others may be under way. */
  begin(call: {
    readonly inputTokens: number;
    readonly price: TokenPrice | null;
    readonly maxOutputTokens?: number | undefined;
  }): void {
    const { inputTokens, price, maxOutputTokens = Number.POSITIVE_INFINITY } = call;
    this.#allowed = this.#call ? this.#allowed + maxOutputTokens : maxOutputTokens;
    this.#call = { inputTokens: inputTokens + (this.#call?.inputTokens ?? 0), price };
  }

  say(characters: number): void {
    if (!this.#call) return;
    this.#said += characters;
    if (this.#said > this.#allowed * MAX_CHARACTERS_PER_TOKEN + MARGIN) this.#onOverrun(this.#allowed);
  }

  get hasSaid(): boolean {
    return this.#said > 0;
  }

  /** What the calls count that are under way, by estimate; null when there are none. */
  get estimate(): Usage | null {
    return this.#call && estimateUse(this.#call, tokensIn(this.#said));
  }

  /** A step has finished, with what its provider says of it; what no call can use, nobody has counted. */
  finish(usage: Usage | null): Usage | null {
    const counted = usage && isPlausible(usage) ? usage : this.estimate;
    this.#call = null;
    this.#said = 0;
    return counted;
  }
}

function isPlausible(usage: Usage): boolean {
  return Object.values(usage).every((count = 0) => count <= MAX_PLAUSIBLE);
}
