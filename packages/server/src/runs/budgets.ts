/** What runs may use: the setting `budgets`, the engine's own limits, and what people read when one is used up. */
import { ApiError } from '@llmgine/protocol';
import type { z } from 'zod';
import { budgetsSchema, limitsSchema } from '../config/budgets.ts';
import type { APIConfig } from '../config.ts';
import type { Amounts, BudgetScope, Budgets, Exceeded, Limits, RunRow } from '../storage/types.ts';

/** Throws `ConfigError` when what `config` holds are no budgets. */
export function readBudgets(config: Pick<APIConfig, 'values' | 'refuse'>): Budgets {
  const parsed = budgetsSchema.safeParse(config.values.budgets);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw config.refuse('budgets', [issue?.path.join('.'), issue?.message].filter(Boolean).join(': '));
  }
  const { run, session, principal } = parsed.data;
  return {
    ...(run ? { run: toLimits(run) } : {}),
    ...(session ? { session: toLimits(session) } : {}),
    ...(principal ? { principal: toLimits(principal) } : {}),
  };
}

/** The budgets of one run: `budget` in the configuration of its engine can only tighten them. */
export function budgetsOf(budgets: Budgets, { engineConfig }: Pick<RunRow, 'engineConfig'>): Budgets {
  const own = limitsSchema.safeParse(engineConfig.budget);
  if (!own.success) return budgets;
  const run: { -readonly [Kind in keyof Limits]: number } = { ...budgets.run };
  for (const [kind, limit] of Object.entries(toLimits(own.data)) as [keyof Amounts, number][]) {
    run[kind] = Math.min(run[kind] ?? limit, limit);
  }
  return { ...budgets, run };
}

export function isLimited(budgets: Budgets): boolean {
  return Object.values(budgets).some((limits) => Object.keys(limits).length > 0);
}

function toLimits({ tokens, cost, steps, seconds }: z.output<typeof limitsSchema>): Limits {
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(cost === undefined ? {} : { cost }),
    ...(steps === undefined ? {} : { steps }),
    ...(seconds === undefined ? {} : { ms: Math.ceil(seconds * 1000) }),
  };
}

const OWNERS: Readonly<Record<BudgetScope, string>> = {
  run: 'this run',
  session: 'this session',
  principal: 'the caller today (UTC)',
};
const UNITS: Readonly<Record<keyof Amounts, readonly [one: string, more: string]>> = {
  tokens: ['token', 'tokens'],
  cost: ['of cost', 'of cost'],
  steps: ['step', 'steps'],
  ms: ['second', 'seconds'],
};

export function budgetExceeded({ scope, kind, limit, used, needed }: Exceeded): ApiError {
  const shown = (amount: number) => String(kind === 'ms' ? amount / 1000 : amount);
  const need = kind === 'tokens' || kind === 'cost' ? `; the next call needs at least ${shown(needed)}` : '';
  const [one, more] = UNITS[kind];
  return new ApiError(
    'BUDGET_EXCEEDED',
    `The budget of ${OWNERS[scope]} is ${shown(limit)} ${shown(limit) === '1' ? one : more}, and ${shown(used)} are used or set aside${need}`,
  );
}
