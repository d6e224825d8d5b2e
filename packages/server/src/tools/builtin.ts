import { z } from 'zod';
import type { ToolDefinition } from './types.ts';

const MAX_EXPRESSION = 500;

/**
 * mathjs with the functions switched off that reach out of an expression or make it run long. Its documentation names
 * them: https://mathjs.org/docs/expressions/security.html
 */
async function limitedMath(): Promise<(expression: string) => unknown> {
  // Loaded with the first calculation: it is large, and most starts never calculate.
  const { all, create } = await import('mathjs');
  const math = create(all ?? {}, { predictable: true });
  const evaluate = math.evaluate.bind(math);
  const off = () => {
    throw new Error('this function is not available');
  };
  math.import(
    Object.fromEntries(
      [
        'import',
        'createUnit',
        'reviver',
        'evaluate',
        'parse',
        'simplify',
        'derivative',
        'resolve',
        'parser',
        'compile',
        'chain',
        'help',
        'config',
        'typed',
        'range',
        'zeros',
        'ones',
        'identity',
        'factorial',
        'gamma',
        'combinations',
        'permutations',
        'stirlingS2',
        'bellNumbers',
        'catalan',
        'kron',
        'diag',
        'resize',
        'concat',
        'sparse',
        'matrixFromFunction',
        'matrixFromRows',
        'matrixFromColumns',
        'map',
        'forEach',
        'filter',
        'cross',
        'expm',
        'fft',
        'ifft',
        'repeat',
        'print',
        'format',
        'setPowerset',
        'setCartesian',
        'nthRoots',
      ].map((name) => [name, off]),
    ),
    { override: true },
  );
  return (expression) => {
    const value: unknown = evaluate(expression);
    if (typeof value === 'function' || value === undefined) throw new Error('the expression has no value');
    return typeof value === 'number' || typeof value === 'boolean'
      ? value
      : math.format(value as Parameters<typeof math.format>[0], { precision: 14 });
  };
}

let calculator: ReturnType<typeof limitedMath> | undefined;

const calculateParameters = z.object({
  expression: z.string().min(1).max(MAX_EXPRESSION).describe('For example 2 * (3 + 4)^2 or 12 inch to cm'),
});

export const calculateTool: ToolDefinition<typeof calculateParameters> = {
  name: 'calculate',
  description: 'Calculates a mathematical expression and returns its value',
  parameters: calculateParameters,
  async execute({ expression }) {
    calculator ??= limitedMath();
    const value = (await calculator)(expression);
    // JSON has no NaN and no infinities.
    return {
      value: typeof value === 'number' && !Number.isFinite(value) ? String(value) : (value as string),
    };
  },
};

const currentTimeParameters = z.object({
  time_zone: z.string().max(64).optional().describe('IANA name, for example Europe/Berlin; default UTC'),
});

export const currentTimeTool: ToolDefinition<typeof currentTimeParameters> = {
  name: 'current_time',
  description: 'Tells the current date and time',
  parameters: currentTimeParameters,
  execute({ time_zone: timeZone = 'UTC' }) {
    const now = new Date();
    let local: string;
    try {
      local = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'long' }).format(
        now,
      );
    } catch {
      throw new Error(`there is no time zone ${JSON.stringify(timeZone)}`);
    }
    return { iso: now.toISOString(), time_zone: timeZone, local };
  },
};

export const BUILTIN_TOOLS: readonly ToolDefinition[] = [calculateTool, currentTimeTool];
