/** HDR histograms of milliseconds. */
import { build, type Histogram } from 'hdr-histogram-js';

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const MICROSECONDS = 1000;

export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000 * MICROSECONDS,
    numberOfSignificantValueDigits: 3,
  });

  /** Milliseconds. */
  record(value: number): void {
    this.#histogram.recordValue(Math.max(1, Math.round(value * MICROSECONDS)));
  }

  quantiles(): Quantiles {
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / MICROSECONDS;
    return { p50: at(50), p99: at(99), max: this.#histogram.maxValue / MICROSECONDS };
  }
}
