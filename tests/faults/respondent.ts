/**
 * Somebody at a client who answers whatever runs ask: approves or denies, and executes the tools of clients. What it does
 * about a request is drawn when it sees it first, and it insists until it is told how that went. It does not look whether
 * somebody else was first: that is for the server to say.
 */
import { setTimeout as later } from 'node:timers/promises';
import type { Answer, JsonObject } from '@llmgine/protocol';
import { onTestFinished } from 'vitest';
import type { History } from './history.ts';
import { Refused } from './pending-sends.ts';
import type { Random } from './random.ts';
import type { ReconnectingClient, SeenRequest } from './reconnecting-client.ts';
import { answerOverRest } from './rest-answer.ts';

export interface RespondentOptions {
  readonly history: History;
  readonly session: string;
  /** Of the session over REST, asked for each call. */
  readonly url: () => string;
  readonly random: Random;
  /** Milliseconds that it thinks before it answers, at most. */
  readonly thinkMs: number;
}

interface Intention {
  readonly thinkMs: number;
  readonly agrees: boolean;
  readonly overRest: boolean;
  readonly random: Random;
}

/** Milliseconds after which it gives up an answer over REST. */
const PATIENCE = 30_000;

export class Respondent {
  readonly #options: RespondentOptions;
  readonly #seen = new Set<string>();
  readonly #busy = new Set<Promise<void>>();
  #held: PromiseWithResolvers<void> | null = null;

  constructor(options: RespondentOptions) {
    this.#options = options;
    onTestFinished(() => this.release());
  }

  /** See `ReconnectingClientOptions.onRequest`. */
  readonly onRequest = (request: SeenRequest, client: ReconnectingClient): void => {
    const { request_id: id } = request;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    // What is refused is in the history: somebody was first, or the run has ended.
    const work = this.#respond(request, client, this.#intention()).catch(() => {});
    this.#busy.add(work);
    void work.then(() => this.#busy.delete(work));
  };

  /** It begins nothing new until it is released. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }

  /** Resolves when it knows what came of all its answers. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  #intention(): Intention {
    const random = this.#options.random.fork();
    return {
      thinkMs: random.int(0, this.#options.thinkMs),
      agrees: random.chance(0.7),
      overRest: random.chance(0.3),
      random,
    };
  }

  async #respond(request: SeenRequest, client: ReconnectingClient, intention: Intention): Promise<void> {
    const { agrees, thinkMs } = intention;
    await later(thinkMs);
    await this.#held?.promise;
    if (request.kind === 'client_tool') await this.#execute(request, client, intention);
    else await this.#answer(request, client, intention, { outcome: agrees ? 'approved' : 'denied' });
  }

  /** Executes a tool of a client, once, when it has the claim. */
  async #execute(request: SeenRequest, client: ReconnectingClient, intention: Intention): Promise<void> {
    const { request_id: id, tool_name: tool = '', tool_call_id, run_id } = request;
    try {
      await client.claim(id);
    } catch (error) {
      if (!(error instanceof Refused) || error.isCertain) throw error;
      // It may have the claim without having heard of it, and nobody else gets it for a while.
      await this.#answer(request, client, intention, { outcome: 'error', reason: 'The claim is lost' });
      return;
    }
    if (!intention.agrees) {
      await this.#answer(request, client, intention, { outcome: 'error', reason: 'Not here' });
      return;
    }
    const approval = (request.arguments as { ask?: boolean } | undefined)?.ask === true;
    const call = { tool, tool_call_id: tool_call_id ?? '', run_id };
    this.#options.history.executed({ ...call, idempotent: false, approval });
    const value = { counted: tool, by: client.name };
    await this.#answer(request, client, intention, { outcome: 'submitted', value });
  }

  async #answer(
    { request_id: id }: SeenRequest,
    client: ReconnectingClient,
    { overRest, random }: Intention,
    answer: Answer,
  ): Promise<void> {
    if (!overRest) {
      await client.answer(id, answer);
      return;
    }
    const { history, session, url } = this.#options;
    const body = { ...answer } as JsonObject;
    const operation = history.invoke({ kind: 'answer', client: client.name, session, id, body });
    const address = () => `${url()}/requests/${id}`;
    await answerOverRest(answer, { url: address, operation, random, patienceMs: PATIENCE });
  }
}
