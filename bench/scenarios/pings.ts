/** Ping round trips on 1, 100 and 1,000 connections. */
import type { Pings, PingsResult } from '../clients/pings.ts';
import { start } from '../lib/child.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { askClient, run, type Subject } from '../lib/subjects.ts';

async function measure(subject: Subject, plan: Pings): Promise<Figures> {
  await using running = await run(subject);
  await using client = await start('clients/pings.ts');
  const ping = (pings: Pings) => askClient<PingsResult>(client, { ...pings, ...running.target });
  // What is compiled and connected once is no cost of a message.
  await ping({ ...plan, messages: Math.min(plan.messages, 5000) });
  const { result, cpu, loopDelayP99 } = await running.measure(() => ping(plan));
  return {
    cpuPerMessage: cpu / result.messages,
    perSecond: result.messages / result.seconds,
    p50: result.roundTrip.p50,
    p99: result.roundTrip.p99,
    loopDelayP99,
  };
}

export const PINGS: readonly Scenario[] = [1, 100, 1000].map((connections) => ({
  name: `ping-${connections}`,
  title: `ping round trip, ${connections.toLocaleString('en')} connections`,
  subjects: ['server', 'echo'],
  figures: {
    cpuPerMessage: 'CPU a message, µs',
    perSecond: 'messages a second',
    p50: 'round trip p50, ms',
    p99: 'round trip p99, ms',
    loopDelayP99: 'event-loop delay p99, ms',
  },
  targets: [{ figure: 'cpuPerMessage', of: 'server', to: 'echo', atMost: 1.15 }],
  measure: (subject: Subject, smoke: boolean) =>
    measure(subject, smoke ? { connections: 2, messages: 20 } : { connections, messages: 50_000 }),
}));
