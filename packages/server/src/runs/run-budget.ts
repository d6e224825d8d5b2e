import type { PlannedCall } from '../engines/types.ts';
import type { Prices } from '../models/pricing.ts';
import type { Budgets, Demand, Exceeded, Grant } from '../storage/types.ts';
import { budgetExceeded, isLimited } from './budgets.ts';

/** The longest time that a timer can be set to. */
const MAX_TIMER_MS = 2_147_483_647;

export interface RunBudgetOptions {
  readonly budgets: Budgets;
  readonly prices: Prices;
  /** Sets aside what the call may use, or more time; rejects when the run cannot go on. */
  readonly reserve: (call: Demand | null) => Promise<Grant | { readonly exceeded: Exceeded }>;
  /** The run has to stop, now. */
  readonly onExceeded: (error: Error) => void;
}

/** The budgets of one execution of a run. Without limits it costs nothing. */
export class RunBudget {
  readonly #options: RunBudgetOptions;
  readonly isLimited: boolean;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: RunBudgetOptions) {
    this.#options = options;
    this.isLimited = isLimited(options.budgets);
  }

  /** See `EngineContext.reserve`. */
  async reserve(planned: PlannedCall): Promise<number | undefined> {
    assertPlannedCall(planned);
    const { model, inputTokens, maxOutputTokens } = planned;
    if (!this.isLimited) return maxOutputTokens;
    const grant = await this.#options.reserve({
      inputTokens: Math.max(Math.ceil(inputTokens), 0),
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      price: this.#options.prices.of(model),
    });
    if ('exceeded' in grant) throw budgetExceeded(grant.exceeded);
    this.#arm(grant.ms);
    return grant.maxOutputTokens;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Time is used whether or not a model is called, so it is looked after until the run stops. */
  #arm(ms: number | undefined): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (ms === undefined || this.#stopped) return;
    this.#timer = setTimeout(() => void this.#askForTime(), Math.min(ms, MAX_TIMER_MS));
  }

  async #askForTime(): Promise<void> {
    try {
      const grant = await this.#options.reserve(null);
      if (this.#stopped) return;
      if ('exceeded' in grant) this.#options.onExceeded(budgetExceeded(grant.exceeded));
      else this.#arm(grant.ms);
    } catch (error) {
      if (!this.#stopped) this.#options.onExceeded(error as Error);
    }
  }
}

/**
 * Engines are other people's code, and not all of it is typed: what is no number has to fail here, and not in the storage,
 * where it would fail with the appends of others.
 */
function assertPlannedCall({ model, inputTokens, maxOutputTokens = 1 }: PlannedCall): void {
  if (typeof model !== 'string') throw new TypeError('The model of a call must be a text');
  if (!Number.isFinite(inputTokens) || inputTokens > Number.MAX_SAFE_INTEGER) {
    throw new TypeError('The inputTokens of a call must be a number');
  }
  if (!Number.isSafeInteger(maxOutputTokens) || maxOutputTokens < 1) {
    throw new TypeError('The maxOutputTokens of a call must be a whole number from 1 on');
  }
}
