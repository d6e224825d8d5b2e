/** What a request costs beside 100,000 stored sessions, and beside 1,000. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newDatabase, tidy } from '../lib/postgres.ts';
import { Rest, SESSIONS_PATH, sessionPath } from '../lib/rest.ts';
import type { Figures, Scenario } from '../lib/scenario.ts';
import { type Data, type Running, run, type Subject } from '../lib/subjects.ts';

interface Plan {
  readonly few: number;
  readonly many: number;
  readonly rounds: number;
  /** Of each kind, a round. */
  readonly requests: number;
}

const FULL: Plan = { few: 1000, many: 100_000, rounds: 5, requests: 500 };
const SMOKE: Plan = { few: 20, many: 40, rounds: 1, requests: 10 };
const CONNECTIONS = 16;
/** As many sessions are read from the large store as from the small one. */
const READ = 1000;
const KINDS = ['list', 'deep', 'get', 'create'] as const;
type Kind = (typeof KINDS)[number];

async function emptyData(subject: Subject): Promise<Data> {
  if (subject === 'postgres') return { databaseUrl: await newDatabase() };
  const dataDir = mkdtempSync(join(tmpdir(), 'llmgine-bench-stored-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }));
  return { dataDir };
}

async function filled(subject: Subject, sessions: number): Promise<Data> {
  const data = await emptyData(subject);
  // How quickly it is filled says nothing here, and Postgres would take minutes.
  const quick =
    data.databaseUrl === undefined
      ? data
      : { databaseUrl: `${data.databaseUrl}?options=-c%20synchronous_commit%3Doff` };
  {
    await using running = await run(subject, quick);
    await using rest = await Rest.start(running);
    await rest.post(SESSIONS_PATH, sessions);
  }
  if (data.databaseUrl !== undefined) await tidy(data.databaseUrl);
  return data;
}

/** A store that a server was just started on, so nothing of the filling is left in its memory. */
class Store {
  readonly #running: Running;
  readonly #rest: Rest;
  readonly #paths: Readonly<Record<Kind, readonly string[]>>;
  readonly #seen = new Map<Kind, { cpu: number; readonly p50: number[] }>();

  private constructor(running: Running, rest: Rest, paths: Readonly<Record<Kind, readonly string[]>>) {
    this.#running = running;
    this.#rest = rest;
    this.#paths = paths;
  }

  static async open(subject: Subject, data: Data, stored: number): Promise<Store> {
    const running = await run(subject, data);
    const rest = await Rest.start(running, CONNECTIONS);
    const ids = await rest.sessionIds(Math.min(READ, stored), stored);
    const { next } = await rest.page(`limit=1&offset=${Math.floor(stored * 0.8)}`);
    if (next === null) throw new Error('the list ends before its end');
    const deep = `${SESSIONS_PATH}?cursor=${encodeURIComponent(next)}`;
    const paths = { list: [SESSIONS_PATH], deep: [deep], get: ids.map(sessionPath), create: [SESSIONS_PATH] };
    return new Store(running, rest, paths);
  }

  async warmUp(requests: number): Promise<void> {
    for (const kind of KINDS) await this.#send(kind, requests);
  }

  async round(kind: Kind, requests: number): Promise<void> {
    const { result, cpu } = await this.#running.measure(() => this.#send(kind, requests));
    const seen = this.#seen.get(kind) ?? { cpu: 0, p50: [] };
    seen.cpu += cpu / requests;
    seen.p50.push(result.latency.p50);
    this.#seen.set(kind, seen);
  }

  /** Microseconds of CPU a request, and the median of p50 in milliseconds. */
  seen(kind: Kind): { readonly cpu: number; readonly p50: number } {
    const { cpu, p50 } = this.#seen.get(kind) ?? { cpu: Number.NaN, p50: [] };
    const sorted = p50.toSorted((a, b) => a - b);
    return { cpu: cpu / sorted.length, p50: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest[Symbol.asyncDispose]();
    await this.#running[Symbol.asyncDispose]();
  }

  #send(kind: Kind, requests: number) {
    if (kind === 'create') return this.#rest.post(SESSIONS_PATH, requests);
    return this.#rest.get(this.#paths[kind], requests);
  }
}

/** Filled once: what a run adds to so many does not count. */
const large = new Map<Subject, Promise<Data>>();

async function measure(subject: Subject, plan: Plan): Promise<Figures> {
  const data = large.get(subject) ?? filled(subject, plan.many);
  large.set(subject, data);
  await using many = await Store.open(subject, await data, plan.many);
  await using few = await Store.open(subject, await filled(subject, plan.few), plan.few);
  for (const store of [many, few]) await store.warmUp(plan.requests);
  for (const kind of KINDS) {
    // In turns, so that what disturbs the machine for a while disturbs both.
    for (let round = 0; round < plan.rounds; round += 1) {
      await few.round(kind, plan.requests);
      await many.round(kind, plan.requests);
    }
  }
  const figures = KINDS.flatMap((kind) => {
    const [at, among] = [few.seen(kind), many.seen(kind)];
    return [
      [`${kind}CpuFew`, at.cpu],
      [`${kind}CpuMany`, among.cpu],
      [`${kind}P50Few`, at.p50],
      [`${kind}P50Many`, among.p50],
    ] as const;
  });
  return Object.fromEntries(figures);
}

const NAMES: Readonly<Record<Kind, string>> = {
  list: 'first page',
  deep: 'page deep in the list',
  get: 'get',
  create: 'create',
};
const figures = KINDS.flatMap((kind) => [
  [`${kind}CpuFew`, `${NAMES[kind]}, CPU, µs, 1,000 stored`],
  [`${kind}CpuMany`, `${NAMES[kind]}, CPU, µs, 100,000 stored`],
  [`${kind}P50Few`, `${NAMES[kind]}, p50, ms, 1,000 stored`],
  [`${kind}P50Many`, `${NAMES[kind]}, p50, ms, 100,000 stored`],
]);

export const STORED: readonly Scenario[] = [
  {
    name: 'stored',
    title: '100,000 sessions in the database beside 1,000, 16 connections',
    subjects: ['server', 'postgres'],
    figures: Object.fromEntries(figures),
    targets: KINDS.map((kind) => ({
      figure: `${kind}CpuMany`,
      of: 'server',
      to: 'server',
      toFigure: `${kind}CpuFew`,
      atMost: 1.1,
    })),
    measure: (subject, smoke) => measure(subject, smoke ? SMOKE : FULL),
  },
];
