/** A load that is spread over processes: each opens what its part needs, then all begin at one moment. */
import { type Child, start } from './child.ts';
import { now } from './client-child.ts';

/** Milliseconds from when all are told until they begin. */
const LEAD = 100;

export interface Seen<Result> {
  /** Of each process, in the order of the parts. */
  readonly results: readonly Result[];
  /** What the processes took of one core, together. */
  readonly share: number;
}

export class Clients {
  readonly #children: readonly Child[];

  private constructor(children: readonly Child[]) {
    this.#children = children;
  }

  static async start(file: string, count: number): Promise<Clients> {
    return new Clients(await Promise.all(Array.from({ length: count }, () => start(file))));
  }

  get count(): number {
    return this.#children.length;
  }

  /** Gives a part of the plan to each process; resolves when all have opened what they need. */
  async open(parts: readonly object[]): Promise<void> {
    await this.#askAll((index) => ({ plan: parts[index] }), 'opened');
  }

  /** Lets all begin; resolves when the last one is done. */
  async go<Result>(): Promise<Seen<Result>> {
    const before = await this.#cpu();
    const begin = now() + LEAD;
    const answers = await this.#askAll(() => ({ begin }), 'result');
    const results = (answers as { readonly result: Result }[]).map(({ result }) => result);
    const share = ((await this.#cpu()) - before) / 1000 / (now() - begin);
    return { results, share };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  async #cpu(): Promise<number> {
    const readings = await Promise.all(this.#children.map((child) => child.read()));
    return readings.reduce((sum, { cpu }) => sum + cpu, 0);
  }

  async #askAll(message: (index: number) => object, wanted: string): Promise<object[]> {
    const ask = async (child: Child, index: number) => {
      const fits = (answer: object) => wanted in answer || 'failure' in answer;
      const answer = await child.ask(message(index), fits);
      if ('failure' in answer) throw new Error(String(answer.failure));
      return answer;
    };
    return Promise.all(this.#children.map(ask));
  }
}
