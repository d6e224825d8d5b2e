import { expect, test } from 'vitest';
import { RunBudget, type RunBudgetOptions } from '../../src/runs/run-budget.ts';
import type { Demand } from '../../src/storage/types.ts';

type Answer = Awaited<ReturnType<RunBudgetOptions['reserve']>>;

const OVER = { scope: 'run', kind: 'ms', limit: 5, used: 5, needed: 1 } as const;
const CALL = { model: 'a:x', inputTokens: 9.4 };

/** A budget that answers what the test says, one after the other. */
function open(budgets: RunBudgetOptions['budgets'], ...answers: (Answer | Error)[]) {
  const asked: (Demand | null)[] = [];
  const exceeded = Promise.withResolvers<Error>();
  const budget = new RunBudget({
    budgets,
    prices: { of: (model) => (model === 'a:x' ? { input: 1, cachedInput: 0.5, output: 2 } : null) },
    reserve: async (call) => {
      asked.push(call);
      const answer = answers.shift();
      if (!answer) throw new Error('nothing more to say');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onExceeded: (error) => exceeded.resolve(error),
  });
  return { budget, asked, exceeded: exceeded.promise };
}

test('without limits nothing is asked, so it costs nothing', async () => {
  for (const budgets of [{}, { run: {}, session: {} }]) {
    const { budget, asked } = open(budgets);

    expect(await budget.reserve({ ...CALL, maxOutputTokens: 7 })).toBe(7);
    expect(await budget.reserve(CALL)).toBeUndefined();
    expect(asked).toEqual([]);
  }
});

test('a call is asked for with its price, and gets what is granted', async () => {
  const { budget, asked } = open({ run: { tokens: 5 } }, { maxOutputTokens: 3 }, {});

  expect(await budget.reserve({ ...CALL, maxOutputTokens: 7 })).toBe(3);
  expect(await budget.reserve({ ...CALL, model: 'b:y' })).toBeUndefined();

  expect(asked).toMatchObject([
    { inputTokens: 10, maxOutputTokens: 7, price: { input: 1, output: 2 } },
    { inputTokens: 10, price: null },
  ]);
});

test.each([
  { inputTokens: Number.NaN },
  { inputTokens: Number.POSITIVE_INFINITY },
  { inputTokens: '9' as unknown as number },
  { maxOutputTokens: Number.NaN },
  { maxOutputTokens: Number.POSITIVE_INFINITY },
  { maxOutputTokens: 1.5 },
  { maxOutputTokens: 0 },
  { maxOutputTokens: -5 },
  { model: undefined as unknown as string },
])('what is no call is a mistake of the engine, and nobody is asked: %o', async (wrong) => {
  for (const budgets of [{}, { run: { tokens: 5 } }]) {
    const { budget, asked } = open(budgets, {});
    await expect(budget.reserve({ ...CALL, ...wrong })).rejects.toThrow(TypeError);
    expect(asked).toEqual([]);
  }
});

test('a call without room is refused', async () => {
  const { budget } = open({ run: { ms: 5 } }, { exceeded: OVER });

  await expect(budget.reserve(CALL)).rejects.toMatchObject({ code: 'BUDGET_EXCEEDED' });
});

test('time is asked for again when it is over, until there is no more', async () => {
  const { budget, asked, exceeded } = open({ run: { ms: 5 } }, { ms: 1 }, { ms: 1 }, { exceeded: OVER });

  await budget.reserve(CALL);

  expect(await exceeded).toMatchObject({ code: 'BUDGET_EXCEEDED' });
  expect(asked.slice(1)).toEqual([null, null]);
});

test('a failure to ask for more time stops the run, too', async () => {
  const failure = new Error('the storage is gone');
  const { budget, exceeded } = open({ run: { ms: 5 } }, { ms: 1 }, failure);

  await budget.reserve(CALL);

  expect(await exceeded).toBe(failure);
});
