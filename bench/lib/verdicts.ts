/** Medians and ranges of several runs, and whether the targets hold. */
import type { Figures, Scenario, Target } from './scenario.ts';
import { SUBJECTS, type Subject } from './subjects.ts';

export interface Measured {
  readonly scenario: Scenario;
  readonly runs: ReadonlyMap<Subject, readonly Figures[]>;
}

/** `NaN` where a figure was not measured, or not in each of the runs. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const MISSING: Spread = { median: Number.NaN, low: Number.NaN, high: Number.NaN };

export function spreadOf(runs: readonly Figures[], figure: string): Spread {
  const values = runs.map((figures) => figures[figure] ?? Number.NaN).sort((a, b) => a - b);
  if (values.length === 0 || values.some(Number.isNaN)) return MISSING;
  const middle = Math.floor(values.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [values[0], values.at(-1)];
  const upper = values[middle] ?? Number.NaN;
  const median = values.length % 2 === 1 ? upper : ((values[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, low, high };
}

export interface Verdict {
  /** Of the scenario. */
  readonly name: string;
  /** What is bounded, in words. */
  readonly figure: string;
  /** With what it is compared; null where the figure itself is bounded. */
  readonly beside: string | null;
  readonly ratio: number;
  /** As `≤ 1.1`. */
  readonly bound: string;
  /** How much of the bound is used: 1 is the bound itself, less is better. */
  readonly used: number;
  /** False for what was not measured. */
  readonly holds: boolean;
  readonly text: string;
}

export function verdicts({ scenario, runs }: Measured): Verdict[] {
  const median = (subject: Subject, figure: string) => spreadOf(runs.get(subject) ?? [], figure).median;
  return scenario.targets.map((target) => {
    const { figure, of, to, toFigure = figure, atMost, atLeast } = target;
    const ratio = median(of, figure) / (to === undefined ? 1 : median(to, toFigure));
    const within = (atMost === undefined || ratio <= atMost) && (atLeast === undefined || ratio >= atLeast);
    const holds = Number.isFinite(ratio) && within;
    const bound = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
    const used = atMost === undefined ? (atLeast ?? 0) / ratio : ratio / atMost;
    const what = scenario.figures[figure] ?? figure;
    const beside = besideOf(scenario, target);
    const seen = Number.isFinite(ratio) ? ratio.toFixed(2) : 'not measured';
    const text = `${what}: ${seen}${beside === null ? '' : ` × ${beside}`}, target ${bound}`;
    return { name: scenario.name, figure: what, beside, ratio, bound, used, holds, text };
  });
}

function besideOf({ figures }: Scenario, { figure, of, to, toFigure = figure }: Target): string | null {
  if (to === undefined) return null;
  const names = [
    ...(to === of ? [] : [SUBJECTS[to].title]),
    ...(toFigure === figure ? [] : [figures[toFigure]]),
  ];
  return names.join(', ');
}
