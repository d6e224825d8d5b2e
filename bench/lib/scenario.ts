import type { Subject } from './subjects.ts';

/** What one subject did in one run: names of figures and their values. */
export type Figures = Readonly<Record<string, number>>;

export interface Target {
  readonly figure: string;
  readonly of: Subject;
  readonly to: Subject;
  /** The ratio that is allowed at most, or at least. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly subjects: readonly Subject[];
  /** What each figure is, with its unit, in the order of the table. */
  readonly figures: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  /** `smoke`: as little as shows that it works. */
  measure(subject: Subject, smoke: boolean): Promise<Figures>;
}
