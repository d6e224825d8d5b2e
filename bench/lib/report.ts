/** What a run of the bench has measured, as Markdown and as JSON. */
import type { Machine } from './machine.ts';
import { SUBJECTS } from './subjects.ts';
import { type Measured, type Spread, spreadOf, type Verdict, verdicts } from './verdicts.ts';

export interface Run {
  readonly machine: Machine;
  /** As ISO 8601. */
  readonly date: string;
  readonly runs: number;
  readonly smoke: boolean;
  /** Of subjects in scenarios. */
  readonly failures: readonly string[];
  readonly measured: readonly Measured[];
}

export function markdown({ machine, date, runs, smoke, failures, measured }: Run): string {
  const judged = smoke ? [] : measured.flatMap(verdicts);
  return [
    '# Bench',
    '',
    `${date.slice(0, 10)}, ${runs} runs each unless said: median (lowest–highest). Rate limits are off.`,
    ...(smoke
      ? ['', 'This is the smoke form: it shows that the scenarios work, and nothing about speed.']
      : []),
    '',
    `- ${machine.cpus} × ${machine.model}, ${machine.memory} GiB, ${machine.os}`,
    `- ${Object.entries(machine.versions)
      .map((entry) => entry.join(' '))
      .join(', ')}`,
    '',
    ...failures.map((failure) => `- **failed**: ${failure}`),
    ...(failures.length === 0 ? [] : ['']),
    ...(judged.length === 0 ? [] : targets(judged)),
    ...measured.flatMap((one) => section(one, runs, smoke)),
  ].join('\n');
}

export function json({ measured, ...run }: Run): string {
  const scenarios = measured.map((one) => ({
    name: one.scenario.name,
    title: one.scenario.title,
    figures: one.scenario.figures,
    runs: Object.fromEntries(one.runs),
    targets: verdicts(one),
  }));
  return `${JSON.stringify({ ...run, scenarios }, null, 2)}\n`;
}

function targets(judged: readonly Verdict[]): string[] {
  const rows = judged.map(({ name, figure, beside, ratio, bound, holds }) => {
    const seen = Number.isFinite(ratio)
      ? `${ratio.toFixed(2)}${beside === null ? '' : ' ×'}`
      : 'not measured';
    return [name, figure, beside ?? '', seen, bound, holds ? 'holds' : '**missed**'];
  });
  const missed = judged.filter(({ holds }) => !holds).length;
  return [
    '## Targets',
    '',
    `${judged.length - missed} of ${judged.length} hold.`,
    '',
    ...table(['scenario', 'figure', 'beside', 'measured', 'target', ''], rows),
    '',
    '![How much of its bound each target uses](overview.svg)',
    '',
  ];
}

function section(one: Measured, asked: number, smoke: boolean): string[] {
  const { name, title, subjects, figures, runs = asked } = one.scenario;
  // The subjects are few and the figures are many.
  const head = ['', ...subjects.map((subject) => SUBJECTS[subject].title)];
  const rows = Object.entries(figures).map(([figure, what]) => [
    what,
    ...subjects.map((subject) => show(spreadOf(one.runs.get(subject) ?? [], figure))),
  ]);
  const verdictsShown = smoke ? [] : verdicts(one);
  const judged = verdictsShown.map(({ text, holds }) => `- ${holds ? 'holds' : '**missed**'}: ${text}`);
  return [
    `## ${title}`,
    '',
    `\`${name}\`${runs < asked ? `, ${runs} run${runs === 1 ? '' : 's'}` : ''}`,
    '',
    ...table(head, rows),
    '',
    `![${title.replaceAll(/[[\]]/g, '')}](${name}.svg)`,
    '',
    ...(judged.length === 0 ? [] : [...judged, '']),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

export function show({ median, low, high }: Spread): string {
  if (Number.isNaN(median)) return '–';
  return low === high ? number(median) : `${number(median)} (${number(low)}–${number(high)})`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}
