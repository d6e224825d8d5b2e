/** One session that many watch: what a frame costs for each of them. */
import type { Beat, WatchersPart, WatchersSeen } from '../clients/watchers.ts';
import { Clients } from '../lib/clients.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { newSession, type Target } from '../lib/sockets.ts';
import { type Running, run, type Subject } from '../lib/subjects.ts';
import { TOKEN_LENGTH } from '../lib/token.ts';

interface FanOut {
  readonly watchers: number;
  readonly prompts: number;
  readonly tokens: number;
  readonly rate: number;
}

const PLAN: FanOut = { watchers: 100, prompts: 20, tokens: 50, rate: 100 };
const WARM_UP: FanOut = { ...PLAN, prompts: 4 };
const SMOKE: FanOut = { watchers: 4, prompts: 2, tokens: 10, rate: 100 };
const PROCESSES = 2;

/** When the server's frames came: the control sends as many, as long, at the same moments. */
const rhythms = new Map<FanOut, readonly Beat[]>();

async function partOf(target: Target, plan: FanOut): Promise<WatchersPart & Target> {
  const part = { ...target, watchers: plan.watchers / PROCESSES };
  if (target.kind === 'plain') {
    const rhythm = rhythms.get(plan);
    if (!rhythm) throw new Error('the rhythm is the one of the server, which was not measured before');
    return { ...part, ends: 1, requests: [JSON.stringify({ rhythm })] };
  }
  const parameters = { prompt: `stream ${plan.tokens} ${plan.rate}` };
  const prompt = JSON.stringify({ type: 'command', data: { command: 'prompt', parameters } });
  const session = await newSession(target.url);
  return {
    ...part,
    session,
    ends: plan.prompts,
    requests: Array.from({ length: plan.prompts }, () => prompt),
  };
}

async function watch(running: Running, clients: Clients, plan: FanOut): Promise<Figures> {
  const part = await partOf(running.target, plan);
  await clients.open([part, { ...part, requests: [] }]);
  const measured = await running.measure(() => clients.go<WatchersSeen>());
  const { cpu, share, loopDelayP99, modelShare, result } = measured;
  const rhythm = result.results[0]?.rhythm ?? [];
  if (running.target.kind === 'server') rhythms.set(plan, rhythm);
  const sockets = result.results.flatMap((seen) => seen.sockets);
  const tokens = plan.prompts * plan.tokens;
  for (const { frames, text } of sockets) {
    const whole = running.target.kind === 'plain' || text === tokens * TOKEN_LENGTH;
    if (frames !== rhythms.get(plan)?.length || !whole) throw new Error(`a watcher saw ${frames} frames`);
  }
  const deliveries = sockets.length * rhythm.length;
  const seconds = (rhythm.at(-1)?.[0] ?? 0) / 1000;
  return {
    cpuPerDelivery: cpu / deliveries,
    perSecond: deliveries / seconds,
    framesPerToken: rhythm.length / tokens,
    share,
    loopDelayP99,
    modelShare,
    clientShare: result.share,
  };
}

async function measure(subject: Subject, smoke: boolean): Promise<Figures> {
  await using running = await run(subject);
  await using clients = await Clients.start('clients/watchers.ts', PROCESSES);
  if (smoke) return await watch(running, clients, SMOKE);
  await watch(running, clients, WARM_UP);
  return await watch(running, clients, PLAN);
}

export const FAN_OUT: readonly Scenario[] = [
  {
    name: 'fan-out',
    title: 'one session and 100 watchers, a stream of 100 tokens a second',
    subjects: ['server', 'broadcast'],
    figures: {
      cpuPerDelivery: 'CPU a delivery, µs',
      perSecond: 'deliveries a second',
      framesPerToken: 'frames a token',
      share: 'share of a core',
      loopDelayP99: 'event-loop delay p99, ms',
      modelShare: 'share of the model server',
      clientShare: 'share of the clients',
    },
    targets: [{ figure: 'cpuPerDelivery', of: 'server', to: 'broadcast', atMost: 1.3 }],
    measure,
  },
];
