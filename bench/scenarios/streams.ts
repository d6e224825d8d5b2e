/** Streams with one watcher each: what a token costs, and how late it is. */
import type { Figures, Scenario, Target } from '../lib/scenario.ts';
import { StreamLoad, type Streams } from '../lib/stream-load.ts';
import { run, type Subject } from '../lib/subjects.ts';

const WARM_UP: Streams = { streams: 20, tokens: 200, rate: 200, spread: 100 };
const SMOKE: Streams = { streams: 3, tokens: 20, rate: 100, spread: 10 };

const FIGURES = {
  cpuPerToken: 'CPU a token, µs',
  framesPerToken: 'frames a token',
  share: 'share of a core',
  latenessP50: 'lateness p50, ms',
  latenessP99: 'lateness p99, ms',
  firstTokenP50: 'first token p50, ms',
  firstTokenP99: 'first token p99, ms',
  arrived: 'arrived',
  loopDelayP99: 'event-loop delay p99, ms',
  modelShare: 'share of the model server',
  clientShare: 'share of the clients',
};

export async function measureStreams(subject: Subject, plan: Streams, warm = true): Promise<Figures> {
  await using running = await run(subject);
  await using load = await StreamLoad.start(running.target, plan.streams);
  // What is compiled and connected once is no cost of a token.
  if (warm) {
    await load.open(WARM_UP);
    await load.go();
  }
  await load.open(plan);
  const { result, cpu, share, modelShare, loopDelayP99 } = await running.measure(() => load.go());
  if (result.failed > 0) throw new Error(`${result.failed} streams did not show all of their tokens`);
  return {
    cpuPerToken: cpu / result.tokens,
    framesPerToken: result.frames / result.tokens,
    share,
    latenessP50: result.lateness.p50,
    latenessP99: result.lateness.p99,
    firstTokenP50: result.firstToken.p50,
    firstTokenP99: result.firstToken.p99,
    arrived: result.arrived,
    loopDelayP99,
    modelShare,
    clientShare: result.clientShare,
  };
}

/** What the storage costs shows where each token has its full price. */
const PACED: readonly Subject[] = ['server', 'full', 'postgres', 'floor', 'byHand'];

function scenario(name: string, title: string, plan: Streams, targets: readonly Target[]): Scenario {
  return {
    name,
    title,
    subjects: name === 'paced' ? PACED : ['server', 'floor', 'byHand'],
    figures: FIGURES,
    targets,
    measure: (subject, smoke) => measureStreams(subject, smoke ? SMOKE : plan, !smoke),
  };
}

const cpu = { figure: 'cpuPerToken', of: 'server' } as const;
const fullSpeed: readonly Target[] = [{ ...cpu, to: 'byHand', atMost: 0.5 }];

export const STREAMS: readonly Scenario[] = [
  scenario(
    'paced',
    '200 streams at 50 tokens a second',
    { streams: 200, tokens: 500, rate: 50, spread: 1000 },
    [
      { ...cpu, to: 'byHand', atMost: 0.4 },
      { ...cpu, to: 'floor', atMost: 1.1 },
    ],
  ),
  scenario(
    'one-fast',
    'one stream of 2,000 tokens at full speed',
    { streams: 1, tokens: 2000, rate: 0, spread: 0 },
    fullSpeed,
  ),
  scenario(
    'many-fast',
    '50 streams of 2,000 tokens at full speed',
    { streams: 50, tokens: 2000, rate: 0, spread: 0 },
    fullSpeed,
  ),
  scenario(
    'first-token',
    'one stream at a time: time to the first token',
    { streams: 1, tokens: 5, rate: 50, spread: 0 },
    [{ figure: 'firstTokenP50', of: 'server', to: 'byHand', atMost: 1.5 }],
  ),
];
