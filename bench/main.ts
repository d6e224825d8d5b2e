/**
 * `npm run bench [-- NAME…] [-- --runs 3] [-- --smoke]`: measures the server and the controls in turns, and writes
 * `bench/results/report.md` with its charts, and `report.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { charts } from './lib/charts.ts';
import { machine } from './lib/machine.ts';
import { postgres, stopPostgres } from './lib/postgres.ts';
import { json, markdown } from './lib/report.ts';
import type { Figures, Scenario } from './lib/scenario.ts';
import { SUBJECTS, type Subject } from './lib/subjects.ts';
import { type Measured, verdicts } from './lib/verdicts.ts';
import { CAPACITY } from './scenarios/capacity.ts';
import { FAN_OUT } from './scenarios/fan-out.ts';
import { IDLE } from './scenarios/idle.ts';
import { PINGS } from './scenarios/pings.ts';
import { RECONNECT } from './scenarios/reconnect.ts';
import { RESUME } from './scenarios/resume.ts';
import { SESSIONS } from './scenarios/sessions.ts';
import { SOAK } from './scenarios/soak.ts';
import { STORED } from './scenarios/stored.ts';
import { STREAMS } from './scenarios/streams.ts';

const ALL = [
  ...STREAMS,
  ...CAPACITY,
  ...FAN_OUT,
  ...RESUME,
  ...RECONNECT,
  ...PINGS,
  ...SESSIONS,
  ...STORED,
  ...IDLE,
  ...SOAK,
];
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
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs ${values.runs}: not a number of runs`);
  process.exit(2);
}
// What removes folders and ends processes listens to `exit`, which a signal alone does not cause.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const chosen = ALL.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const version = chosen.some(({ subjects }) => subjects.includes('postgres'))
  ? await postgresVersion()
  : undefined;
const date = new Date().toISOString();
const measured: Measured[] = [];
const failures: string[] = [];
for (const scenario of chosen) {
  console.log(`\n${scenario.title}`);
  const subjects = scenario.subjects.filter((subject) => subject !== 'postgres' || version !== undefined);
  const one = { scenario: { ...scenario, subjects }, runs: await inTurns(scenario, subjects) };
  measured.push(one);
  // After each: a run that is interrupted has measured something too.
  write();
  // A few messages say that a scenario works, and nothing about speed.
  if (values.smoke) continue;
  for (const { text, holds } of verdicts(one)) console.log(`  ${holds ? 'holds ' : 'MISSED'} ${text}`);
}
await stopPostgres();
console.log(`\n${join(values.out, 'report.md')}`);
// At once: what has failed may have left a process behind, and a bench that waits for it never ends.
process.exit(failures.length > 0 ? 1 : 0);

/** In turns, so that what disturbs the machine for a while disturbs all of them. */
async function inTurns(scenario: Scenario, subjects: readonly Subject[]): Promise<Map<Subject, Figures[]>> {
  const figures = new Map<Subject, Figures[]>();
  const turns = Math.min(runs, scenario.runs ?? runs);
  for (let turn = 1; turn <= turns; turn += 1) {
    for (const subject of subjects) {
      const seen = await attempt(scenario, subject);
      figures.set(subject, [...(figures.get(subject) ?? []), seen]);
      const [first = ''] = Object.keys(scenario.figures);
      console.log(`  ${turn}/${turns} ${subject}: ${scenario.figures[first]} ${seen[first]?.toFixed(2)}`);
    }
  }
  return figures;
}

/** What fails has no figures, so its targets are missed; the other scenarios still say what they see. */
async function attempt(scenario: Scenario, subject: Subject): Promise<Figures> {
  try {
    return await scenario.measure(subject, values.smoke);
  } catch (error) {
    failures.push(`${scenario.name}, ${SUBJECTS[subject].title}: ${String(error)}`);
    console.error(error);
    return {};
  }
}

async function postgresVersion(): Promise<string | undefined> {
  try {
    return (await postgres()).version;
  } catch (error) {
    console.error(`Postgres cannot start here and is left out: ${String(error)}`);
    return undefined;
  }
}

function write(): void {
  const run = { machine: machine(version), date, runs, smoke: values.smoke, failures, measured };
  mkdirSync(values.out, { recursive: true });
  const files = [['report.md', markdown(run)], ['report.json', json(run)], ...charts(measured)] as const;
  for (const [name, content] of files) writeFileSync(join(values.out, name), content);
}
