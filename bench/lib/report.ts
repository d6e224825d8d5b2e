/** Medians and ranges of several runs, as Markdown. */
import { cpus, totalmem } from 'node:os';
import type { Figures, Scenario } from './scenario.ts';
import { SUBJECTS, type Subject } from './subjects.ts';

export interface Measured {
  readonly scenario: Scenario;
  readonly runs: ReadonlyMap<Subject, readonly Figures[]>;
}

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function spreadOf(runs: readonly Figures[], figure: string): Spread {
  const values = runs.map((figures) => figures[figure] ?? Number.NaN).sort((a, b) => a - b);
  const middle = Math.floor(values.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [values[0], values.at(-1)];
  const upper = values[middle] ?? Number.NaN;
  const median = values.length % 2 === 1 ? upper : ((values[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, low, high };
}

export interface Verdict {
  readonly text: string;
  readonly ratio: number;
  readonly holds: boolean;
}

export function verdicts({ scenario, runs }: Measured): Verdict[] {
  return scenario.targets.map(({ figure, of, to, atMost, atLeast }) => {
    const ratio = spreadOf(runs.get(of) ?? [], figure).median / spreadOf(runs.get(to) ?? [], figure).median;
    const holds = (atMost === undefined || ratio <= atMost) && (atLeast === undefined || ratio >= atLeast);
    const bound = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
    const text = `${scenario.figures[figure]}: ${ratio.toFixed(2)} × ${SUBJECTS[to].title}, target ${bound}`;
    return { text, ratio, holds };
  });
}

export function markdown(measured: readonly Measured[], runs: number): string {
  const sections = measured.map((one) => {
    const { scenario } = one;
    const head = ['subject', ...Object.values(scenario.figures)];
    const rows = scenario.subjects.map((subject) => [
      SUBJECTS[subject].title,
      ...Object.keys(scenario.figures).map((figure) => show(spreadOf(one.runs.get(subject) ?? [], figure))),
    ]);
    const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    const judged = verdicts(one).map(({ text, holds }) => `- ${holds ? 'holds' : '**missed**'}: ${text}`);
    return [`## ${scenario.title}`, '', ...table, '', ...judged, ''].join('\n');
  });
  return [`# Bench\n`, `${machine()} ${runs} runs each: median (lowest–highest).\n`, ...sections].join('\n');
}

export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `Node ${process.version}, ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB.`;
}

function show({ median, low, high }: Spread): string {
  return low === high ? number(median) : `${number(median)} (${number(low)}–${number(high)})`;
}

function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}
