import { z } from 'zod';
import type { ServerTool } from './types.ts';
import type { Value } from './worker/calculator.ts';
import { scriptOf } from './worker/script.ts';
import { WorkerThread } from './worker/worker-thread.ts';

const MAX_EXPRESSION = 500;

const parameters = z.object({
  expression: z.string().min(1).max(MAX_EXPRESSION).describe('For example 2 * (3 + 4)^2 or 12 inch to cm'),
});

export type Calculator = WorkerThread<string, Value>;

/** Whoever makes it closes it. */
export function createCalculator(): Calculator {
  return new WorkerThread({
    task: 'the calculation',
    script: scriptOf('calculator'),
    limitMs: 1000,
    memoryMb: 64,
  });
}

export function createCalculateTool(calculator: Calculator): ServerTool<typeof parameters> {
  return {
    name: 'calculate',
    description: 'Calculates a mathematical expression and returns its value',
    parameters,
    idempotent: true,
    async execute({ expression }, { signal }) {
      return { value: await calculator.run(expression, signal) };
    },
  };
}
