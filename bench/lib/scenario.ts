import type { Subject } from './subjects.ts';

/** What one subject did in one run: names of figures and their values. */
export type Figures = Readonly<Record<string, number>>;

export interface Target {
  readonly figure: string;
  readonly of: Subject;
  /** Whose figure it is compared with. Absent: the figure itself is what is bounded. */
  readonly to?: Subject;
  /** Which figure of `to`, where it is not the same one. */
  readonly toFigure?: string;
  /** The ratio, or the figure, that is allowed at most, or at least. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** In the order of the table. Those without a target are reported only. */
  readonly subjects: readonly Subject[];
  /** What each figure is, with its unit, in the order of the table. */
  readonly figures: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  /** How often each subject is measured; default: as often as was asked for. */
  readonly runs?: number;
  /** `smoke`: as little as shows that it works. */
  measure(subject: Subject, smoke: boolean): Promise<Figures>;
}
