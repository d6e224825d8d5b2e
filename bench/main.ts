/**
 * `npm run bench [-- NAME…] [-- --runs 3] [-- --smoke]`: measures the server and the controls in turns, and writes
 * `bench/results/report.md` and `report.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Measured, machine, markdown, verdicts } from './lib/report.ts';
import type { Figures } from './lib/scenario.ts';
import type { Subject } from './lib/subjects.ts';
import { PINGS } from './scenarios/pings.ts';
import { SESSIONS } from './scenarios/sessions.ts';
import { STREAMS } from './scenarios/streams.ts';

const ALL = [...STREAMS, ...PINGS, ...SESSIONS];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    smoke: { type: 'boolean', default: false },
    out: { type: 'string', default: join(import.meta.dirname, 'results') },
  },
});
const unknown = positionals.filter((name) => !ALL.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no scenario ${unknown.join(', ')}; there are: ${ALL.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
const runs = values.smoke ? 1 : Number(values.runs);
const chosen = ALL.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

const measured: Measured[] = [];
for (const scenario of chosen) {
  console.log(`\n${scenario.title}`);
  const figures = new Map<Subject, Figures[]>();
  // In turns, so that what disturbs the machine for a while disturbs all of them.
  for (let turn = 1; turn <= runs; turn += 1) {
    for (const subject of scenario.subjects) {
      const seen = await scenario.measure(subject, values.smoke);
      figures.set(subject, [...(figures.get(subject) ?? []), seen]);
      const [first = ''] = Object.keys(scenario.figures);
      console.log(`  ${turn}/${runs} ${subject}: ${scenario.figures[first]} ${seen[first]?.toFixed(2)}`);
    }
  }
  const one = { scenario, runs: figures };
  measured.push(one);
  // A few messages say that a scenario works, and nothing about speed.
  if (values.smoke) continue;
  for (const { text, holds } of verdicts(one)) console.log(`  ${holds ? 'holds ' : 'MISSED'} ${text}`);
}

mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, 'report.md'), markdown(measured, runs));
const json = measured.map(({ scenario, runs: of }) => ({
  name: scenario.name,
  runs: Object.fromEntries(of),
  targets: verdicts({ scenario, runs: of }),
}));
writeFileSync(
  join(values.out, 'report.json'),
  `${JSON.stringify({ machine: machine(), scenarios: json }, null, 2)}\n`,
);
console.log(`\n${join(values.out, 'report.md')}`);
