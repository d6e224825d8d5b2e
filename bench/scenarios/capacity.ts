/** How many streams at 50 tokens a second a subject carries. */
import type { Figures, Scenario } from '../lib/scenario.ts';
import { StreamLoad, type Streams, type StreamsResult } from '../lib/stream-load.ts';
import { type Cost, type Running, run, type Subject } from '../lib/subjects.ts';

const FIRST_LEVEL = 200;
const LEAST = 10;
/** What is carried is known when the lowest level that failed is at most so many times as high. */
const EXACT = 1.06;
const QUIET_SHARE = 0.05;
/** Near a core, the model server or the clients are what was measured. */
const BUSY = 0.85;

interface Level extends Cost {
  readonly streams: number;
  readonly result: StreamsResult;
}

const planOf = (streams: number): Streams => ({
  streams,
  tokens: 400,
  rate: 50,
  spread: 1500,
  patience: 3000,
});

/** An overloaded server accepts late and then looks punctual, so what is in time counts from the planned prompt. */
function passes({ result }: Level): boolean {
  const { lateness, firstToken, inTime, failed } = result;
  return failed === 0 && lateness.p99 <= 50 && firstToken.p99 <= 200 && inTime >= 0.97;
}

async function attempt(running: Running, load: StreamLoad, plan: Streams): Promise<Level> {
  await load.open(plan);
  const level = { streams: plan.streams, ...(await running.measure(() => load.go())) };
  await quiet(running);
  return level;
}

/** What a level has left behind ends before the next one. */
async function quiet({ process }: Running): Promise<void> {
  for (let share = 1; share > QUIET_SHARE; ) {
    const before = await process.read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const after = await process.read();
    share = (after.cpu - before.cpu) / 1000 / (after.at - before.at);
  }
}

/** Higher until a level fails, then between the two. A machine is disturbed now and then: a level fails when it fails twice. */
async function search(running: Running, load: StreamLoad): Promise<Level> {
  let best: Level | undefined;
  let broken = Number.POSITIVE_INFINITY;
  let next = FIRST_LEVEL;
  while (best === undefined || broken > best.streams * EXACT) {
    let level = await attempt(running, load, planOf(next));
    if (!passes(level)) level = await attempt(running, load, planOf(next));
    if (passes(level)) best = level;
    else broken = next;
    if (broken === Number.POSITIVE_INFINITY) next = Math.round(next * 1.5);
    else next = Math.round(best === undefined ? broken / 1.5 : (best.streams + broken) / 2);
    if (next < LEAST) throw new Error(`fewer than ${LEAST} streams are carried`);
  }
  return best;
}

async function smallLevels(running: Running, load: StreamLoad): Promise<Level> {
  const plan = { tokens: 10, rate: 50, spread: 20 };
  await attempt(running, load, { ...plan, streams: 2 });
  const level = await attempt(running, load, { ...plan, streams: 3 });
  if (level.result.failed > 0) throw new Error(`${level.result.failed} of 3 streams failed`);
  return level;
}

async function measure(subject: Subject, smoke: boolean): Promise<Figures> {
  await using running = await run(subject);
  await using load = await StreamLoad.start(running.target, FIRST_LEVEL);
  if (!smoke) {
    await load.open({ streams: 20, tokens: 200, rate: 200, spread: 100 });
    await load.go();
  }
  const { streams, result, cpu, share, modelShare } = await (smoke ? smallLevels : search)(running, load);
  if (!smoke && Math.max(modelShare, result.clientShare) > BUSY)
    console.log(
      `  the model server took ${modelShare.toFixed(2)}, the clients ${result.clientShare.toFixed(2)}`,
    );
  return {
    streams,
    cpuPerToken: cpu / result.tokens,
    framesPerToken: result.frames / result.tokens,
    share,
    latenessP99: result.lateness.p99,
    firstTokenP99: result.firstToken.p99,
    inTime: result.inTime,
    modelShare,
    clientShare: result.clientShare,
  };
}

export const CAPACITY: readonly Scenario[] = [
  {
    name: 'capacity',
    title: 'streams at 50 tokens a second that are carried',
    subjects: ['server', 'floor', 'byHand'],
    figures: {
      streams: 'streams',
      cpuPerToken: 'CPU a token, µs',
      framesPerToken: 'frames a token',
      share: 'share of a core',
      latenessP99: 'lateness p99, ms',
      firstTokenP99: 'first token p99, ms',
      inTime: 'in time',
      modelShare: 'share of the model server',
      clientShare: 'share of the clients',
    },
    targets: [{ figure: 'streams', of: 'server', to: 'byHand', atLeast: 2.5 }],
    measure,
  },
];
