/** A client that comes back with a long gap. */
import type { Resumes, ResumesResult } from '../clients/resumes.ts';
import { Clients } from '../lib/clients.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { run, type Subject } from '../lib/subjects.ts';

const PLAN: Resumes = { events: 1000, length: 64, warmUps: 20, resumes: 100 };
const SMOKE: Resumes = { events: 10, length: 64, warmUps: 0, resumes: 2 };

async function measure(subject: Subject, smoke: boolean): Promise<Figures> {
  const plan = smoke ? SMOKE : PLAN;
  await using running = await run(subject);
  await using clients = await Clients.start('clients/resumes.ts', 1);
  await clients.open([{ ...plan, ...running.target }]);
  const { cpu, loopDelayP99, result } = await running.measure(() => clients.go<ResumesResult>());
  const [seen] = result.results;
  if (!seen) throw new Error('nothing was seen');
  return {
    cpuPerResume: cpu / plan.resumes / 1000,
    p50: seen.whole.p50,
    p99: seen.whole.p99,
    bytes: seen.bytes,
    loopDelayP99,
  };
}

export const RESUME: readonly Scenario[] = [
  {
    name: 'resume',
    title: 'resume of 1,000 events, one after the other',
    subjects: ['server', 'full', 'postgres', 'rows'],
    figures: {
      cpuPerResume: 'CPU a resume, ms',
      p50: 'from the handshake to the last event p50, ms',
      p99: 'p99, ms',
      bytes: 'bytes a frame',
      loopDelayP99: 'event-loop delay p99, ms',
    },
    targets: [{ figure: 'cpuPerResume', of: 'server', to: 'rows', atMost: 2 }],
    measure,
  },
];
