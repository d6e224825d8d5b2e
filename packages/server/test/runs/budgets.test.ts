import { describe, expect, test } from 'vitest';
import { APIConfig, ConfigError } from '../../src/config.ts';
import { budgetExceeded, budgetsOf, isLimited, readBudgets } from '../../src/runs/budgets.ts';

const read = (env: string) => readBudgets(new APIConfig({}, { env: { LLMGINE_API_BUDGETS: env } }));

test('the setting takes each kind for each scope; without it nothing is limited', () => {
  const budgets = read('{"run":{"tokens":5,"seconds":1.5},"principal":{"cost":0.5,"steps":3}}');

  expect(budgets).toEqual({ run: { tokens: 5, ms: 1500 }, principal: { cost: 0.5, steps: 3 } });
  expect(isLimited(budgets)).toBe(true);
  expect(isLimited(readBudgets(new APIConfig({}, { env: {} })))).toBe(false);
  expect(isLimited(read('{"run":{}}'))).toBe(false);
});

test.each([
  ['{"runs":{}}', /LLMGINE_API_BUDGETS is .* but .*runs/],
  ['{"run":{"token":5}}', /run: .*token/],
  ['{"run":{"tokens":"many"}}', /run\.tokens: /],
  ['{"run":{"tokens":0}}', /run\.tokens: /],
  ['{"session":{"steps":1.5}}', /session\.steps: /],
  ['{"principal":{"cost":-1}}', /principal\.cost: /],
  ['{"principal":5}', /principal: /],
])('%s is refused in one line that names the setting', (env, message) => {
  expect(() => read(env)).toThrow(ConfigError);
  expect(() => read(env)).toThrow(message);
  expect(() => read(env)).not.toThrow(/\n/);
});

describe('the budget of an engine', () => {
  const server = { run: { tokens: 100, cost: 1 }, session: { tokens: 1000 } };
  const of = (budget: unknown) => budgetsOf(server, { engineConfig: { budget } as never });

  test.each([
    [{ tokens: 50 }, { tokens: 50, cost: 1 }],
    [{ tokens: 500 }, { tokens: 100, cost: 1 }],
    [
      { seconds: 2, steps: 3 },
      { tokens: 100, cost: 1, ms: 2000, steps: 3 },
    ],
    [{}, { tokens: 100, cost: 1 }],
  ])('%j tightens only', (budget, run) => {
    expect(of(budget)).toEqual({ ...server, run });
  });

  test.each([undefined, null, 'much', { tokens: -1 }, { anything: 1 }])(
    '%j, which is something else of the engine, changes nothing',
    (budget) => {
      expect(of(budget)).toEqual(server);
    },
  );
});

test.each([
  [
    { scope: 'run', kind: 'tokens', limit: 100, used: 90, needed: 20 },
    'The budget of this run is 100 tokens, and 90 are used or set aside; the next call needs at least 20',
  ],
  [
    { scope: 'session', kind: 'cost', limit: 1.5, used: 1.5, needed: 0.1 },
    'The budget of this session is 1.5 of cost, and 1.5 are used or set aside; the next call needs at least 0.1',
  ],
  [
    { scope: 'principal', kind: 'ms', limit: 2000, used: 2001, needed: 1 },
    'The budget of the caller today (UTC) is 2 seconds, and 2.001 are used or set aside',
  ],
  [
    { scope: 'principal', kind: 'steps', limit: 3, used: 3, needed: 1 },
    'The budget of the caller today (UTC) is 3 steps, and 3 are used or set aside',
  ],
] as const)('people read which budget is used up: %j', (exceeded, message) => {
  expect(budgetExceeded(exceeded)).toMatchObject({ code: 'BUDGET_EXCEEDED', message });
});
