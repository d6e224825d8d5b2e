import { afterAll, describe, expect, test } from 'vitest';
import { createCalculateTool, createCalculator } from '../../src/tools/calculate.ts';
import { closing, toolContext } from './tool-context.ts';

const calculator = createCalculator();
afterAll(() => calculator.close());
const tool = createCalculateTool(calculator);

/** As a model calls it: what the schema refuses never gets to the thread. */
async function calculate(expression: string) {
  return tool.execute(tool.parameters.parse({ expression }), toolContext()) as Promise<{ value: unknown }>;
}

test.each([
  ['6 * 7', 42],
  ['2 * (3 + 4)^2', 98],
  ['1.5e3 / 3', 500],
  ['sqrt(16) + round(2.567, 2)', 6.57],
  ['sin(30 deg)', 0.5],
  ['5!', 120],
  ['mean(1, 2, 3, 6)', 3],
  ['max([3, 9, 4])', 9],
  ['50 * 20%', 10],
  ['10 > 9', true],
  ['2 > 1 ? 10 : 20', 10],
  ['12 inch to cm', '30.48 cm'],
  ['det([1, 2; 3, 4])', -2],
  ['[1, 2] * 2', '[2, 4]'],
  ['1 / 0', 'Infinity'],
  ['sqrt(-1)', 'NaN'],
])('%s', async (expression, value) => {
  const result = await calculate(expression);
  if (typeof value === 'number') expect(result.value).toBeCloseTo(value, 10);
  else expect(result).toEqual({ value });
});

/** Each of them would reach out of the expression, or take what others need. */
const HOSTILE = [
  'import({ sqrt: 1 }, { override: true })',
  'config({ number: "BigNumber" })',
  'evaluate("1 + 1")',
  'parse("1 + 1")',
  'parser()',
  'compile("1 + 1")',
  'chain(3)',
  'help(sqrt)',
  'simplify("x + x")',
  'simplifyCore("x + x")',
  'derivative("x^2", "x")',
  'resolve("x", {x: 1})',
  'symbolicEqual("x", "x")',
  'leafCount("x")',
  'rationalize("(x + 1)^1000")',
  'f(n) = n < 1 ? 1 : f(n - 1) + f(n - 1); f(60)',
  'f(n) = n',
  'map([1, 2], sqrt)',
  'filter([1, 2], sqrt)',
  'forEach([1, 2], sqrt)',
  'reduce([1, 2], add)',
  'apply([1, 2], 0, sqrt)',
  'sort([2, 1], "asc")',
  'x = 1',
  'cos = 1',
  '1; 2',
  '1\n2',
  '1:1e9',
  'sum(1:1e9)',
  'range(0, 1e9)',
  'ones(100000, 100000)',
  'zeros(1e9)',
  'identity(1e5)',
  'diag([1, 2], 1e8)',
  'resize([1], [1e9])',
  'kron([1, 2], [3, 4])',
  'random([100000, 100000])',
  'randomInt(1, 10)',
  'bernoulli(1000000)',
  'stirlingS2(1e5, 1e4)',
  'catalan(1e6)',
  'combinations(1e9, 5e8)',
  'permutations(1e9)',
  'primeFactors(9007199254740881)',
  'isPrime(9007199254740881)',
  'bignumber(9)^(9^9)',
  'bigint("9")^(9^9)',
  'fraction("1/3")',
  'number("9")',
  'string(9)',
  'format(pi, 1e9)',
  'print("$x", {x: 1})',
  'hex(255)',
  'bin(1)',
  'createUnit("foo")',
  'createUnit({ foo: { prefixes: "long" } })',
  'splitUnit(1 m, [cm])',
  'unit("5 cm")',
  'typed("a", {})',
  'typeOf(1)',
  'reviver()',
  'json',
  'cos.constructor("return process")()',
  'cos.constructor',
  'constructor',
  'constructor("return process")()',
  'toString()',
  'valueOf()',
  '__proto__',
  '__proto__()',
  'hasOwnProperty("a")',
  'process',
  'globalThis',
  'process.exit()',
  'this',
  'math',
  '{ a: 1 }.a',
  '{ "__proto__": 1 }',
  '{}["constructor"]',
  '"a" + "b"',
  "'a'",
  '"abc"[1]',
  '[1, 2, 3][1]',
  '[1, 2, 3][end]',
  '[1, 2, 3][1] = 9',
  'end',
  'cos',
  'c\\u006fs.constructor',
  'c\u03bfs(1)',
  'e\u200bvaluate(1)',
  '\uff1d1',
  '\u202e1 + 1',
  '2 +',
  '',
  ' ',
  '#',
  '1'.repeat(501),
  '1+'.repeat(500_000),
  `${'('.repeat(1e6)}1`,
] as const;

test.each(HOSTILE.map((expression) => [shortened(expression), expression]))(
  'refuses %s',
  async (_title, expression) => {
    await expect(calculate(expression)).rejects.toThrow(/\S/);
  },
);

const HEAVY = [
  '9^9^9^9',
  'factorial(1e6)',
  '1e6!',
  '(9e99)!',
  '9!!!!!!!!!!!!!!!!!!!!!!!!',
  'gcd(9007199254740991, 2)',
  'lcm(9007199254740991, 9007199254740881)',
  'nthRoot(2, 1e300)',
  'mod(1e308, 1e-308)',
  'round(pi, 15)',
  '[1, 1; 1, 0]^1e300',
  '[1, 1; 1, 0]^1e9',
  '[1, 1; 1, 0]^9007199254740991',
  'inv([1, 2; 2, 4])',
  '(1 m)^1e9',
  '(1 m)^1e308',
  `1 ${'m '.repeat(200)}`,
  '1 YB^99 to yb',
  '5 kg to m',
  '0xffffffffffffffff',
  '1e999',
  `${'('.repeat(249)}1${')'.repeat(249)}`,
  `${'-'.repeat(499)}1`,
  `${'['.repeat(249)}1${']'.repeat(249)}`,
  `1${'!'.repeat(499)}`,
  `1${'^1'.repeat(249)}`,
  `${'1 ? '.repeat(120)}1${' : 1'.repeat(4)}`,
  `${'abs('.repeat(120)}1`,
] as const;

test.each(HEAVY.map((expression) => [shortened(expression), expression]))(
  '%s is a value or a clear error',
  async (_title, expression) => {
    const outcome = await calculate(expression).catch((error: Error) => error);

    const text = outcome instanceof Error ? outcome.message : String(outcome.value);
    expect(text).toMatch(/\S/);
    expect(text).not.toMatch(/takes too long|ended early|failed/);
    expect(text.length).toBeLessThan(10_100);
  },
);

/** A vector of each direction: their sum has as many numbers as the product of their lengths. */
function vectors(...lengths: readonly number[]): string {
  const vector = (length: number, direction: number) =>
    `[${Array.from({ length }, () => `${'['.repeat(direction)}1${']'.repeat(direction)}`).join(',')}]`;
  return lengths.map(vector).join('+');
}

describe('an expression whose value is enormous', () => {
  test('is refused when it can be calculated', async () => {
    await expect(calculate(vectors(40, 40))).resolves.toEqual({ value: expect.any(String) });
    await expect(calculate(vectors(30, 30, 30))).rejects.toThrow('the value has more than 10000 characters');
  });

  test('ends its thread when it cannot, and the next expression has its value', async () => {
    // Nine million numbers.
    const bomb = vectors(34, 17, 11, 8, 7, 5, 5);
    expect(bomb.length).toBeLessThanOrEqual(500);

    await expect(calculate(bomb)).rejects.toThrow(/The calculation takes too (?:long|much memory)/);

    expect(await calculate('6 * 7')).toEqual({ value: 42 });
  });
});

test('nothing that one expression does is there for the next', async () => {
  await Promise.allSettled(['pi = 3', 'sqrt(x) = 1', 'import({ pi: 3 })', 'createUnit("pi")'].map(calculate));

  expect(await calculate('round(pi + sqrt(4), 2)')).toEqual({ value: 5.14 });
});

test('many at once get each their own value', async () => {
  const numbers = Array.from({ length: 200 }, (_, index) => index);

  const values = await Promise.all(numbers.map((number) => calculate(`${number} * 2`)));

  expect(values).toEqual(numbers.map((number) => ({ value: number * 2 })));
});

test('the first calculation does not load mathjs in the thread that serves everybody', async () => {
  const fresh = closing(createCalculator());
  let turns = 0;
  const turning = setInterval(() => turns++, 5);

  await fresh.run('1 + 1');
  clearInterval(turning);

  // Loaded here, it would hold all turns of the loop until it is there.
  expect(turns).toBeGreaterThan(3);
});

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}… (${text.length} characters)` : JSON.stringify(text);
}
