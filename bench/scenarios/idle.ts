/** What a session costs that nobody uses, without a socket and with one. */
import type { Idle } from '../clients/idle.ts';
import { start } from '../lib/child.ts';
import type { Reading } from '../lib/probe.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { askClient, type Running, run, type Subject } from '../lib/subjects.ts';

const SIZES = [1000, 5000, 10_000];
/** Each process has sockets of its own to hold, besides what Node has open. */
const OTHER_FILES = 500;
/** Longer than the server's heartbeat, which is the only thing that an idle socket does. */
const REST_MS = 31_000;

interface Plan {
  readonly connections: number;
  readonly restMs: number;
}

async function measure(subject: Subject, { connections, restMs }: Plan): Promise<Figures> {
  checkOpenFiles(connections);
  await using running = await run(subject);
  await using client = await start('clients/idle.ts');
  const hold = async (sessions: number, sockets: number) => {
    const held = await askClient<Idle>(client, { sessions, sockets, ...running.target });
    if (held.sockets !== sockets) throw new Error(`${held.sockets} of ${sockets} sockets are open`);
    return settled(running);
  };
  // What is compiled and allocated once is no cost of a session.
  const first = Math.min(1000, connections);
  const empty = await hold(first, first);
  const sessions = await hold(first + connections, first);
  const sockets = await hold(first + connections, first + connections);
  await new Promise((resolve) => setTimeout(resolve, restMs));
  const rested = await running.process.read();
  const { sockets: open } = await askClient<Idle>(client, { sessions: 0, sockets: 0, ...running.target });
  if (open !== first + connections) throw new Error(`${open} sockets are left`);
  const each = (before: Reading, after: Reading, of: (reading: Reading) => number) =>
    (of(after) - of(before)) / connections / 1024;
  const rss = ({ rss }: Reading) => rss;
  const heap = ({ heap, external }: Reading) => heap + external;
  return {
    memory: each(empty, sockets, rss),
    heap: each(empty, sockets, heap),
    ...(running.target.kind === 'server' && {
      sessionMemory: each(empty, sessions, rss),
      sessionHeap: each(empty, sessions, heap),
    }),
    process: sockets.rss / 2 ** 20,
    idleCpu: (rested.cpu - sockets.cpu) / 1000 / (rested.at - sockets.at),
  };
}

/** Finalizers of a first collection free what a second one finds. */
async function settled({ process }: Running): Promise<Reading> {
  await process.read('collect');
  await new Promise((resolve) => setTimeout(resolve, 200));
  return process.read('collect');
}

function checkOpenFiles(connections: number): void {
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft: number | string } };
  };
  const allowed = Number(userLimits?.open_files?.soft);
  if (allowed < connections + OTHER_FILES)
    throw new Error(`${connections} sockets need more open files than ${allowed}: raise \`ulimit -n\``);
}

export const IDLE: readonly Scenario[] = SIZES.map((connections) => ({
  name: `idle-${connections}`,
  title: `${connections.toLocaleString('en')} idle sockets; on the server each with a session`,
  subjects: ['server', 'echo'],
  figures: {
    memory: 'memory of each, KiB',
    heap: 'heap of each, KiB',
    sessionMemory: 'memory of a session without a socket, KiB',
    sessionHeap: 'heap of a session without a socket, KiB',
    process: 'memory of the whole process, MiB',
    idleCpu: 'share of a core at rest',
  },
  targets:
    connections === 5000
      ? [
          { figure: 'memory', of: 'server', to: 'echo', atMost: 2 },
          // A process that has just started has room left, which hides some of what it then takes from the system.
          { figure: 'heap', of: 'server', to: 'echo', atMost: 2 },
          { figure: 'idleCpu', of: 'server', atMost: 0.01 },
        ]
      : [],
  measure: (subject: Subject, smoke: boolean) =>
    measure(subject, smoke ? { connections: 10, restMs: 100 } : { connections, restMs: REST_MS }),
}));
