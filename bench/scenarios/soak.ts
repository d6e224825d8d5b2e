/** Churn for a long time: memory stays flat, and nothing fails. `BENCH_SOAK_SECONDS`: for how long, by default 600. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Churn, ChurnResult } from '../clients/churn.ts';
import { start } from '../lib/child.ts';
import type { Reading } from '../lib/probe.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { askClient, type Running, run, type Subject } from '../lib/subjects.ts';

const SECONDS = Number(process.env.BENCH_SOAK_SECONDS ?? 600);
const PLAN: Churn = { sessions: 50, tokens: 60, rate: 50, seconds: SECONDS };
const SMOKE: Churn = { sessions: 4, tokens: 10, rate: 50, seconds: 1 };
/** Readings, evenly over the time. What is read once is what happened to live at that moment, so some count together. */
const READINGS = 30;
const TOGETHER = 4;

async function readings({ process }: Running, seconds: number): Promise<Reading[]> {
  const taken: Reading[] = [];
  for (let count = 1; count <= READINGS; count += 1) {
    await delay((seconds * 1000) / (READINGS + 1));
    taken.push(await process.read('collect'));
  }
  return taken;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function measure(subject: Subject, smoke: boolean): Promise<Figures> {
  const plan = smoke ? SMOKE : PLAN;
  await using running = await run(subject);
  await using client = await start('clients/churn.ts');
  const measured = await running.measure(() =>
    Promise.all([
      askClient<ChurnResult>(client, { ...plan, ...running.target }),
      readings(running, plan.seconds),
    ]),
  );
  const [{ lives, tokens, errors, error }, taken] = measured.result;
  if (lives === 0 || errors > 0) throw new Error(`${lives} sessions lived, ${errors} failed: ${error}`);
  const third = taken.slice(READINGS / 3, READINGS / 3 + TOGETHER);
  const end = taken.slice(-TOGETHER);
  const mebibytes = (some: readonly Reading[], of: (reading: Reading) => number) =>
    median(some.map(of)) / 2 ** 20;
  const heap = (reading: Reading) => reading.heap + reading.external;
  return {
    heapGrowth: mebibytes(end, heap) / mebibytes(third, heap),
    heapThird: mebibytes(third, heap),
    heapEnd: mebibytes(end, heap),
    rssThird: mebibytes(third, ({ rss }) => rss),
    rssEnd: mebibytes(end, ({ rss }) => rss),
    lives,
    tokens,
    errors,
    share: measured.share,
  };
}

export const SOAK: readonly Scenario[] = [
  {
    name: 'soak',
    title: 'ten minutes: 50 sessions at any time, made, prompted, cut, resumed and deleted',
    subjects: ['server'],
    figures: {
      heapGrowth: 'heap at the end, of the heap at one third',
      heapThird: 'heap at one third, MiB',
      heapEnd: 'heap at the end, MiB',
      rssThird: 'memory at one third, MiB',
      rssEnd: 'memory at the end, MiB',
      lives: 'sessions',
      tokens: 'tokens',
      errors: 'errors',
      share: 'share of a core',
    },
    targets: [{ figure: 'heapGrowth', of: 'server', atMost: 1.1 }],
    runs: 1,
    measure,
  },
];
