import type { Message } from '@llmgine/protocol';
import { estimateTokens, messageTokens } from '../../models/token-estimate.ts';
import type { Model, ModelRequest, ToolSpec } from '../../models/types.ts';
import { requestOf } from '../model-config.ts';
import type { EngineContext } from '../types.ts';
import { contextTokens, type ToolChatConfig } from './config.ts';
import { shortenResults } from './shorten.ts';
import { remembered, summarize, withSummary } from './summary.ts';
import { fitWindow } from './window.ts';

/** The part of the context that a summary may take. */
const SUMMARY_SHARE = 1 / 8;
/** Tokens that are left to the conversation whatever the prompt of the system and the tools take. */
const LEAST_ROOM = 200;

/** What the model of one run is sent: as much of the conversation as fits. */
export class ChatContext {
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #config: ToolChatConfig;
  /** Each message is measured once, although it may be sent with many steps. */
  readonly #tokens = new Map<Message, number>();
  #messages: readonly Message[];
  #summary: Message | null;
  /** No summary could be written; in this run it is not tried again. */
  #failed = false;

  constructor(context: EngineContext, model: Model, config: ToolChatConfig, history: readonly Message[]) {
    this.#context = context;
    this.#model = model;
    this.#config = config;
    ({ summary: this.#summary, messages: this.#messages } = remembered(history));
  }

  add(message: Message): void {
    this.#messages = [...this.#messages, message];
  }

  /**
   * The request of the next step. May take a step of its own, to summarise what does not fit.
   *
   * @param nextStep Gives the number of such a step.
   */
  async request(tools: readonly ToolSpec[], nextStep: () => number): Promise<ModelRequest> {
    const empty = { ...requestOf(this.#config), messages: [], ...(tools.length === 0 ? {} : { tools }) };
    const limit = contextTokens(this.#config);
    const forSummary = Math.floor(limit * SUMMARY_SHARE);
    const summarizes = this.#config.context_strategy === 'summarize';
    // The same whether there is a summary already, so that writing one pushes nothing else out.
    const taken = summarizes ? forSummary : this.#summary ? messageTokens(this.#summary) : 0;
    const room = Math.max(limit - estimateTokens(empty) - taken, LEAST_ROOM);
    const { dropped, kept } = fitWindow(this.#messages, room, this.#tokensOf);
    if (dropped.length > 0 && summarizes && !this.#failed) {
      const summary = await summarize(this.#context, this.#model, {
        step: nextStep(),
        dropped,
        before: this.#summary,
        maxInputTokens: limit - forSummary,
        maxOutputTokens: forSummary,
      });
      this.#failed = !summary;
      if (summary) {
        this.#summary = summary;
        this.#messages = kept;
      }
    }
    const messages = shortenResults(kept, room, this.#tokensOf);
    return { ...empty, messages: withSummary(messages, this.#summary) };
  }

  readonly #tokensOf = (message: Message): number => {
    const known = this.#tokens.get(message);
    if (known !== undefined) return known;
    const tokens = messageTokens(message);
    this.#tokens.set(message, tokens);
    return tokens;
  };
}
