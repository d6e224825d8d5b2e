/** Sessions over REST, idle sockets, and the start. */
import type { Idle } from '../clients/idle.ts';
import type { Posts, PostsResult } from '../clients/posts.ts';
import { start } from '../lib/child.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { askClient, run, type Subject } from '../lib/subjects.ts';

const http = (url: string): string => url.replace(/^ws/, 'http');

async function create(subject: Subject, requests: number): Promise<Figures> {
  await using running = await run(subject);
  await using client = await start('clients/posts.ts');
  const origin = http(running.target.url);
  const path = subject === 'server' ? '/api/sessions' : '/empty';
  const post = (count: number) =>
    askClient<PostsResult>(client, { origin, path, connections: 64, requests: count } satisfies Posts);
  await post(Math.min(requests, 2000));
  const { result, cpu } = await running.measure(() => post(requests));
  return {
    perSecond: result.perSecond,
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpuPerRequest: cpu / requests,
  };
}

async function idle(subject: Subject, connections: number): Promise<Figures> {
  await using running = await run(subject);
  await using client = await start('clients/idle.ts');
  const open = (count: number) => askClient<Idle>(client, { connections: count, ...running.target });
  await open(Math.min(100, connections));
  const before = await running.process.read('collect');
  await open(connections);
  const after = await running.process.read('collect');
  const rested = await new Promise<void>((resolve) => setTimeout(resolve, 2000)).then(() =>
    running.process.read(),
  );
  return {
    memory: (after.rss - before.rss) / connections / 1024,
    heap: (after.heap + after.external - before.heap - before.external) / connections / 1024,
    idleCpu: (rested.cpu - after.cpu) / 1000 / (rested.at - after.at),
  };
}

async function startUp(subject: Subject): Promise<Figures> {
  const begin = performance.now();
  await using running = await run(subject);
  const response = await fetch(`${http(running.target.url)}/health`);
  if (!response.ok) throw new Error(`/health answered ${response.status}`);
  return { seconds: (performance.now() - begin) / 1000 };
}

export const SESSIONS: readonly Scenario[] = [
  {
    name: 'create',
    title: 'sessions made over REST, durable, 64 connections; by hand: an empty POST route',
    subjects: ['server', 'byHand'],
    figures: {
      perSecond: 'a second',
      p50: 'p50, ms',
      p99: 'p99, ms',
      cpuPerRequest: 'CPU a request, µs',
    },
    targets: [{ figure: 'perSecond', of: 'server', to: 'byHand', atLeast: 0.5 }],
    measure: (subject, smoke) => create(subject, smoke ? 20 : 20_000),
  },
  {
    name: 'idle',
    title: '5,000 idle sockets; on the server each with a session',
    subjects: ['server', 'echo'],
    figures: { memory: 'memory each, KiB', heap: 'heap each, KiB', idleCpu: 'share of a core at rest' },
    targets: [{ figure: 'memory', of: 'server', to: 'echo', atMost: 2 }],
    measure: (subject, smoke) => idle(subject, smoke ? 10 : 5000),
  },
  {
    name: 'start',
    title: 'start to the first healthy answer, with the model server',
    subjects: ['server', 'byHand'],
    figures: { seconds: 'seconds' },
    targets: [{ figure: 'seconds', of: 'server', to: 'byHand', atMost: 2.5 }],
    measure: (subject) => startUp(subject),
  },
];
