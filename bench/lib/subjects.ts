/** What is measured: the server and the controls, each in a process of its own. */
import { type Child, start } from './child.ts';
import type { Target } from './sockets.ts';

export const SUBJECTS = {
  server: { file: 'subjects/server.ts', kind: 'server', title: 'server' },
  echo: { file: 'subjects/echo.ts', kind: 'plain', title: '(a) bare `ws` echo' },
  floor: { file: 'subjects/floor.ts', kind: 'plain', title: '(b) floor: `fetch`, own parser, `ws.send`' },
  byHand: { file: 'subjects/by-hand.ts', kind: 'plain', title: '(c) by hand: Fastify, `ws`, `streamText`' },
} as const;
export type Subject = keyof typeof SUBJECTS;

type Process = Child<{ readonly url: string }>;

/** A subject with the model server that it asks. */
export class Running {
  readonly target: Target;
  readonly process: Process;
  readonly model: Process;

  constructor(subject: Subject, process: Process, model: Process) {
    this.target = { kind: SUBJECTS[subject].kind, url: process.ready.url };
    this.process = process;
    this.model = model;
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

export async function run(subject: Subject): Promise<Running> {
  const model = await start<{ url: string }>('model-server.ts');
  const process = await start<{ url: string }>(SUBJECTS[subject].file, {
    env: {
      BENCH_MODEL_URL: model.ready.url,
      OPENAI_BASE_URL: model.ready.url,
      OPENAI_API_KEY: 'bench',
      LLMGINE_API_MODEL: 'openai-compatible:bench',
    },
  });
  return new Running(subject, process, model);
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
