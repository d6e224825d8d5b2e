/** HDR histograms of milliseconds. */
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const MICROSECONDS = 1000;
const HIGHEST = 60_000 * MICROSECONDS;

export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST,
    numberOfSignificantValueDigits: 3,
  });

  /** What several processes saw, as if one had recorded all of it. */
  static merged(encoded: readonly string[]): Latencies {
    const all = new Latencies();
    for (const one of encoded) all.#histogram.add(decodeFromCompressedBase64(one));
    return all;
  }

  /** Milliseconds; more than a minute counts as a minute. */
  record(value: number): void {
    this.#histogram.recordValue(Math.min(HIGHEST, Math.max(1, Math.round(value * MICROSECONDS))));
  }

  quantiles(): Quantiles {
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / MICROSECONDS;
    return { p50: at(50), p99: at(99), max: this.#histogram.maxValue / MICROSECONDS };
  }

  /** For `merged` in another process. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }
}
