/** Many sockets that are cut at once and come back at once. */
import type { ReconnectsSeen } from '../clients/reconnects.ts';
import { Clients } from '../lib/clients.ts';
import { Latencies } from '../lib/latencies.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { run, type Subject } from '../lib/subjects.ts';

const PROCESSES = 2;
const CONNECTIONS = 2000;
const SMOKE_CONNECTIONS = 10;

async function measure(subject: Subject, smoke: boolean): Promise<Figures> {
  const connections = smoke ? SMOKE_CONNECTIONS : CONNECTIONS;
  await using running = await run(subject);
  await using clients = await Clients.start('clients/reconnects.ts', PROCESSES);
  const part = { ...running.target, connections: connections / PROCESSES };
  await clients.open(Array.from({ length: PROCESSES }, () => part));
  const { cpu, loopDelayP99, result } = await running.measure(() => clients.go<ReconnectsSeen>());
  const { p50, p99, max } = Latencies.merged(result.results.map(({ live }) => live)).quantiles();
  return {
    last: max,
    p50,
    p99,
    cpuPerReconnect: cpu / connections,
    loopDelayP99,
    clientShare: result.share,
  };
}

export const RECONNECT: readonly Scenario[] = [
  {
    name: 'reconnect',
    title: '2,000 sockets that are cut and come back at once; on the server each with a session and a cursor',
    subjects: ['server', 'echo'],
    figures: {
      last: 'until the last is live, ms',
      p50: 'until one is live p50, ms',
      p99: 'p99, ms',
      cpuPerReconnect: 'CPU a reconnect, µs',
      loopDelayP99: 'event-loop delay p99, ms',
      clientShare: 'share of the clients',
    },
    targets: [],
    measure,
  },
];
