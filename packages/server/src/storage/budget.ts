/** What calls of models may use, and what they have used: the words of it. */
import type { Usage } from '@llmgine/protocol';
import { roundCost } from './usage.ts';

/** `ms`: milliseconds of execution. */
export interface Amounts {
  readonly tokens: number;
  readonly cost: number;
  readonly steps: number;
  readonly ms: number;
}
/** What is absent has no limit. */
export type Limits = { readonly [Kind in keyof Amounts]?: number };

/** `principal`: all runs of one caller on one day in UTC. */
export const BUDGET_SCOPES = ['run', 'session', 'principal'] as const;
export type BudgetScope = (typeof BUDGET_SCOPES)[number];
export type Budgets = { readonly [Scope in BudgetScope]?: Limits };

/** For one token. */
export interface TokenPrice {
  readonly input: number;
  readonly output: number;
}

/** One call of a model that is about to be made. */
export interface Demand {
  readonly inputTokens: number;
  readonly maxOutputTokens?: number;
  /** Null when nobody knows what it costs. */
  readonly price: TokenPrice | null;
}

/** What of its budgets a run may use now. What is absent has no limit. */
export interface Grant {
  readonly maxOutputTokens?: number;
  /** From now on; then it has to ask for more. */
  readonly ms?: number;
}

/** The budget in which there is no room. */
export interface Exceeded {
  readonly scope: BudgetScope;
  readonly kind: keyof Amounts;
  readonly limit: number;
  /** What is used, or set aside. */
  readonly used: number;
  /** What the call needs at least. */
  readonly needed: number;
}

/** What a run has set aside, on its row, so that it does not outlive it. */
export interface Reservation extends Amounts {
  /** Of the row of its owner on which it is set aside, too; null when that has no limit. */
  readonly day: string | null;
  /** Of the calls under way: what they count should nobody ever say. */
  readonly inputTokens: number;
  readonly price: TokenPrice | null;
}

/** What a run has used until now. */
export interface RunUse {
  readonly usage: Usage | null;
  readonly steps: number;
  readonly elapsedMs: number;
  readonly reserved: Reservation | null;
}

/** What changes in the sums of the session and of its owner's day. Reservations are of the day alone. */
export interface UseChange {
  readonly day: string;
  readonly usage: Usage | null;
  readonly steps: number;
  readonly elapsedMs: number;
  readonly reserved: Amounts;
}

/** What a run has used in all, as far as a write says; what is absent stays as it is. */
export interface Progress {
  readonly usage?: Usage | null;
  readonly steps?: number;
  readonly elapsedMs?: number;
  /** When it was used; default: now. */
  readonly at?: number;
}

/** What is taken of a budget that nobody has used. */
export const NOTHING: Amounts = { tokens: 0, cost: 0, steps: 0, ms: 0 };

export function usedBy({ usage, steps, elapsedMs }: Omit<RunUse, 'reserved'>): Amounts {
  return { tokens: usage?.total_tokens ?? 0, cost: usage?.cost ?? 0, steps, ms: elapsedMs };
}

/** Whether there is nothing to write. */
export function isNoChange({ usage, steps, elapsedMs, reserved }: UseChange): boolean {
  return (
    (usage === null || Object.values(usage).every((value) => value === 0)) &&
    steps === 0 &&
    elapsedMs === 0 &&
    reserved.tokens === 0 &&
    reserved.cost === 0 &&
    reserved.steps === 0 &&
    reserved.ms === 0
  );
}

export function plus(...all: readonly Amounts[]): Amounts {
  const sum: { -readonly [Kind in keyof Amounts]: number } = { ...NOTHING };
  for (const { tokens, cost, steps, ms } of all) {
    sum.tokens += tokens;
    sum.cost = roundCost(sum.cost + cost);
    sum.steps += steps;
    sum.ms += ms;
  }
  return sum;
}

export function negative({ tokens, cost, steps, ms }: Amounts): Amounts {
  return { tokens: -tokens, cost: -cost, steps: -steps, ms: -ms };
}
