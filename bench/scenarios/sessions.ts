/** Sessions over REST, and the start. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type Load, originOf, Rest, SESSIONS_PATH, sessionPath } from '../lib/rest.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { type Running, run, type Subject } from '../lib/subjects.ts';

const STORED = 1000;
const FIGURES = {
  perSecond: 'a second',
  p50: 'p50, ms',
  p99: 'p99, ms',
  cpuPerRequest: 'CPU a request, µs',
  bytes: 'bytes of an answer',
  clientShare: 'share of the client',
};

type Send = (requests: number) => Promise<Load>;

async function load(running: Running, requests: number, send: Send): Promise<Figures> {
  await send(Math.min(requests, 2000));
  const { result, cpu } = await running.measure(() => send(requests));
  return {
    perSecond: result.perSecond,
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpuPerRequest: cpu / requests,
    bytes: result.bytes,
    clientShare: result.clientShare,
  };
}

async function create(subject: Subject, requests: number): Promise<Figures> {
  await using running = await run(subject);
  await using rest = await Rest.start(running);
  if (subject === 'byHand') return await load(running, requests, (count) => rest.post('/empty', count));
  const figures = await load(running, requests, (count) => rest.post(SESSIONS_PATH, count));
  await rest.sessionIds(0, requests);
  return figures;
}

/** Reads of sessions, by what they ask for; the control answers with as many bytes as the server did before it. */
function reads(pathsOf: (ids: readonly string[]) => readonly string[]) {
  let bytes = 0;
  return async (subject: Subject, smoke: boolean): Promise<Figures> => {
    const requests = smoke ? 20 : 10_000;
    await using running = await run(subject);
    await using rest = await Rest.start(running);
    if (subject === 'byHand')
      return await load(running, requests, (count) => rest.get([`/static/${Math.round(bytes)}`], count));
    const stored = smoke ? 20 : STORED;
    await rest.post(SESSIONS_PATH, stored);
    const paths = pathsOf(await rest.sessionIds(stored, stored));
    const figures = await load(running, requests, (count) => rest.get(paths, count));
    bytes = figures.bytes ?? bytes;
    return figures;
  };
}

async function startUp(subject: Subject, starts: number): Promise<Figures> {
  const seconds: number[] = [];
  while (seconds.length < starts) seconds.push(await oneStart(subject));
  return { seconds: seconds.sort((a, b) => a - b)[Math.floor(starts / 2)] ?? Number.NaN };
}

async function oneStart(subject: Subject): Promise<number> {
  await using running = await run(subject);
  // `fetch` would load what it needs when it is first used, and whoever is measured first would pay for it.
  const [{ statusCode }] = (await once(get(`${originOf(running)}/health`), 'response')) as [IncomingMessage];
  const seconds = (performance.now() - running.begun) / 1000;
  if (statusCode !== 200) throw new Error(`/health answered ${statusCode}`);
  return seconds;
}

export const SESSIONS: readonly Scenario[] = [
  {
    name: 'create',
    title: 'sessions made over REST, durable, 64 connections; by hand: an empty POST route',
    subjects: ['server', 'full', 'postgres', 'byHand'],
    figures: FIGURES,
    targets: [{ figure: 'perSecond', of: 'server', to: 'byHand', atLeast: 0.5 }],
    measure: (subject, smoke) => create(subject, smoke ? 20 : 20_000),
  },
  {
    name: 'list',
    title: 'a page of 100 of 1,000 sessions, 64 connections; by hand: as many bytes that are there already',
    subjects: ['server', 'postgres', 'byHand'],
    figures: FIGURES,
    targets: [],
    measure: reads(() => [SESSIONS_PATH]),
  },
  {
    name: 'get',
    title: 'one of 1,000 sessions, 64 connections; by hand: as many bytes that are there already',
    subjects: ['server', 'postgres', 'byHand'],
    figures: FIGURES,
    targets: [],
    measure: reads((ids) => ids.map(sessionPath)),
  },
  {
    name: 'start',
    title: 'start to the first healthy answer, median of five',
    subjects: ['server', 'byHand'],
    figures: { seconds: 'seconds' },
    targets: [{ figure: 'seconds', of: 'server', to: 'byHand', atMost: 2.5 }],
    measure: (subject, smoke) => startUp(subject, smoke ? 1 : 5),
  },
];
