/**
 * What a run sets aside, and what becomes of it: decided here, from rows that the caller holds locked, so that every storage
 * counts alike.
 */
import type { Usage } from '@llmgine/protocol';
import {
  type Amounts,
  type BudgetScope,
  type Budgets,
  type Demand,
  type Exceeded,
  type Grant,
  NOTHING,
  negative,
  type Progress,
  plus,
  type Reservation,
  type RunUse,
  type UseChange,
  usedBy,
} from './budget.ts';
import { costOf, fitIn } from './budget-room.ts';
import { usageSince, utcDay } from './usage.ts';

/**
 * A run has come so far. `call`: what its calls had set aside is free again, and what is left of its time stays; `all`:
 * everything is free.
 */
export function settle(
  before: RunUse,
  progress: Progress,
  release: 'call' | 'all',
): { readonly after: RunUse; readonly change: UseChange } {
  const { reserved } = before;
  const usage = progress.usage === undefined ? before.usage : progress.usage;
  const steps = progress.steps ?? before.steps;
  const elapsedMs = progress.elapsedMs ?? before.elapsedMs;
  const spentMs = elapsedMs - before.elapsedMs;
  const leftMs = release === 'all' || !reserved ? 0 : Math.max(reserved.ms - spentMs, 0);
  const kept =
    reserved && leftMs > 0
      ? { ...NOTHING, ms: leftMs, day: reserved.day, inputTokens: 0, price: null }
      : null;
  const onDay = reserved && reserved.day !== null ? reserved : null;
  return {
    after: { usage, steps, elapsedMs, reserved: kept },
    change: {
      day: onDay?.day ?? utcDay(progress.at ?? Date.now()),
      usage: usageSince(usage, before.usage),
      steps: steps - before.steps,
      elapsedMs: spentMs,
      reserved: onDay ? plus(negative(onDay), { ...NOTHING, ms: leftMs }) : NOTHING,
    },
  };
}

/** What the rows of the session, and of its owner's day `today`, say before the run asks. */
export interface Sums {
  readonly session: Amounts;
  /** With what is set aside. */
  readonly today: Amounts;
}

export interface Ask {
  readonly budgets: Budgets;
  /** Null to ask for more time only. */
  readonly call: Demand | null;
  readonly elapsedMs: number;
  readonly at: number;
}

export interface Granted {
  readonly after: RunUse;
  /** In their order: what was set aside before is freed, and set aside anew. */
  readonly changes: readonly UseChange[];
  readonly grant: Grant;
}

/** Sets aside what the call may use, or says which budget has no room for it. */
export function reserve(before: RunUse, sums: Sums, ask: Ask): Granted | { readonly exceeded: Exceeded } {
  const { budgets, call, at } = ask;
  const today = utcDay(at);
  const { after: now, change } = settle(before, { elapsedMs: ask.elapsedMs, at }, 'all');
  const own = before.reserved ?? NOTHING;
  // Time is asked for anew; the other calls that are under way keep what they have.
  const kept: Amounts = { tokens: own.tokens, cost: own.cost, steps: own.steps, ms: 0 };
  const spent: Amounts = { ...NOTHING, ms: change.elapsedMs };
  const ofToday = change.day === today ? plus(sums.today, spent, change.reserved) : sums.today;
  const used: Record<BudgetScope, Amounts> = {
    run: plus(usedBy(now), kept),
    session: plus(sums.session, spent, kept),
    principal: plus(ofToday, kept),
  };
  const fit = fitIn(budgets, used, call);
  if ('exceeded' in fit) return fit;
  const shared = budgets.principal !== undefined && Object.keys(budgets.principal).length > 0;
  const amounts = plus(kept, fit.amounts);
  const reserved: Reservation = {
    ...amounts,
    day: shared ? today : null,
    inputTokens: (before.reserved?.inputTokens ?? 0) + (call?.inputTokens ?? 0),
    price: call ? call.price : (before.reserved?.price ?? null),
  };
  const setAside = { ...NO_USE, day: today, reserved: shared ? amounts : NOTHING };
  return { after: { ...now, reserved }, changes: [change, setAside], grant: fit.grant };
}

const NO_USE = { usage: null, steps: 0, elapsedMs: 0 };

/** What a call counts whose provider did not say: what it was given, and what it has said. */
export function estimateUse(
  { inputTokens, price }: Pick<Reservation, 'inputTokens' | 'price'>,
  outputTokens: number,
): Usage {
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    ...(price ? { cost: costOf(price, inputTokens, outputTokens) } : {}),
  };
}

/**
 * The session of a run is deleted under it, and nobody will ever say what its calls used: all that was set aside
 * counts. Null when none of it was of a budget of the owner.
 */
export function forfeit(reserved: Reservation | null): UseChange | null {
  if (!reserved || reserved.day === null) return null;
  const { day, inputTokens, tokens, cost, steps } = reserved;
  const usage = {
    input_tokens: Math.min(inputTokens, tokens),
    output_tokens: Math.max(tokens - inputTokens, 0),
    total_tokens: tokens,
    cost,
  };
  return { day, usage, steps, elapsedMs: 0, reserved: negative(reserved) };
}
