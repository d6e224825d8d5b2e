/** What is measured: the server and the controls, each in a process of its own. */
import { type Child, start } from './child.ts';
import { newDatabase } from './postgres.ts';
import type { Target } from './sockets.ts';

export const SUBJECTS = {
  server: { file: 'subjects/server.ts', kind: 'server', title: 'server' },
  full: {
    file: 'subjects/server.ts',
    kind: 'server',
    title: 'server, `synchronous=FULL`',
    env: { BENCH_SYNCHRONOUS: 'full' },
  },
  postgres: {
    file: 'subjects/server.ts',
    kind: 'server',
    title: 'server, Postgres',
  },
  echo: { file: 'subjects/echo.ts', kind: 'plain', title: '(a) bare `ws` echo' },
  floor: { file: 'subjects/floor.ts', kind: 'plain', title: '(b) floor: `fetch`, own parser, `ws.send`' },
  byHand: { file: 'subjects/by-hand.ts', kind: 'plain', title: '(c) by hand: Fastify, `ws`, `streamText`' },
  broadcast: { file: 'subjects/broadcast.ts', kind: 'plain', title: '(d) bare `ws` broadcast' },
  rows: { file: 'subjects/rows.ts', kind: 'plain', title: '(e) rows of SQLite and bare `ws`' },
} as const satisfies Record<string, SubjectDefinition>;
export type Subject = keyof typeof SUBJECTS;

interface SubjectDefinition {
  readonly file: string;
  readonly kind: Target['kind'];
  readonly title: string;
  readonly env?: Readonly<Record<string, string>>;
}

type Process = Child<{ readonly url: string }>;

/** A subject with the model server that it asks. */
export class Running {
  readonly target: Target;
  readonly process: Process;
  readonly model: Process;
  /** `performance.now()` when the subject was started, the model server before it. */
  readonly begun: number;

  constructor(subject: Subject, process: Process, model: Process, begun: number) {
    this.target = { kind: SUBJECTS[subject].kind, url: process.ready.url };
    this.process = process;
    this.model = model;
    this.begun = begun;
  }

  /** What `work` cost the subject, and what share of a core the model server took meanwhile. */
  async measure<T>(work: () => Promise<T>): Promise<{ readonly result: T } & Cost> {
    const before = await this.process.read('collect');
    const modelBefore = await this.model.read();
    const result = await work();
    const after = await this.process.read();
    const modelAfter = await this.model.read();
    return {
      result,
      cpu: after.cpu - before.cpu,
      share: (after.cpu - before.cpu) / 1000 / (after.at - before.at),
      modelShare: (modelAfter.cpu - modelBefore.cpu) / 1000 / (modelAfter.at - modelBefore.at),
      loopDelayP99: after.loopDelayP99,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
    await this.model.stop();
  }
}

export interface Cost {
  /** Microseconds of the subject's CPU. */
  readonly cpu: number;
  /** Of one core. */
  readonly share: number;
  readonly modelShare: number;
  /** Milliseconds. */
  readonly loopDelayP99: number;
}

/** What data a subject finds; by default none. */
export interface Data {
  readonly dataDir?: string;
  readonly databaseUrl?: string;
}

export async function run(subject: Subject, data: Data = {}): Promise<Running> {
  const model = await start<{ url: string }>('model-server.ts');
  const { file, env }: SubjectDefinition = SUBJECTS[subject];
  const databaseUrl = data.databaseUrl ?? (subject === 'postgres' ? await newDatabase() : undefined);
  const begun = performance.now();
  const starting = start<{ url: string }>(file, {
    env: {
      ...env,
      ...(data.dataDir !== undefined && { BENCH_DATA_DIR: data.dataDir }),
      ...(databaseUrl !== undefined && { BENCH_DATABASE_URL: databaseUrl }),
      BENCH_MODEL_URL: model.ready.url,
      OPENAI_BASE_URL: model.ready.url,
      OPENAI_API_KEY: 'bench',
      LLMGINE_API_MODEL: 'openai-compatible:bench',
    },
  });
  const process = await starting.catch(async (error: unknown) => {
    await model.stop();
    throw error;
  });
  return new Running(subject, process, model, begun);
}

/** Gives a plan to a load client, and resolves with what it saw. */
export async function askClient<Result>(client: Child, plan: object): Promise<Result> {
  const answer = (await client.ask({ plan }, (message) => 'result' in message || 'failure' in message)) as {
    readonly result?: Result;
    readonly failure?: string;
  };
  if (answer.result === undefined) throw new Error(answer.failure);
  return answer.result;
}
