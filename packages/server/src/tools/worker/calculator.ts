/** The thread of `calculate`: mathjs takes half a second to load, and an expression may take for ever. */
import { all, create, type MathNode } from 'mathjs';
import { serve } from './serve.ts';

/** Small expressions can have large values: a few vectors of different directions, added. */
const MAX_VALUE = 10_000;

/**
 * What an expression may call. Expressions come from a model, so from whoever talks to it: nothing is here that parses,
 * defines, loops or allocates by the size of a number.
 */
const FUNCTIONS: ReadonlySet<string> = new Set(
  `abs acos acosh acot acoth acsc acsch add asec asech asin asinh atan atan2 atanh cbrt ceil cos cosh cot coth cross
  csc csch cube det divide dot exp expm1 factorial fix floor gcd hypot inv lcm log log10 log1p log2 max mean median min
  mod mode multiply norm nthRoot pow prod round sec sech sign sin sinh sqrt square std subtract sum tan tanh trace
  transpose variance`.split(/\s+/),
);

const NODES: ReadonlySet<string> = new Set([
  'ArrayNode',
  'ConditionalNode',
  'ConstantNode',
  'FunctionNode',
  'OperatorNode',
  'ParenthesisNode',
  'RelationalNode',
  'SymbolNode',
]);

function check(node: MathNode): void {
  if (!NODES.has(node.type))
    throw new Error('only expressions of numbers, units and functions are calculated');
  if (node.type === 'ConstantNode' && typeof (node as { value?: unknown }).value === 'string') {
    throw new Error('texts are not calculated');
  }
  if (node.type !== 'FunctionNode') return;
  const { fn } = node as { fn?: { name?: string; type?: string } };
  const name = fn?.type === 'SymbolNode' ? (fn.name ?? '') : '';
  if (!FUNCTIONS.has(name)) throw new Error(`there is no function ${JSON.stringify(name)}`);
}

const math = create(all ?? {}, { predictable: true });

export type Value = number | boolean | string;

function calculate(expression: string): Value {
  const root = math.parse(expression);
  root.traverse(check);
  const value: unknown = root.evaluate();
  if (typeof value === 'function' || value === undefined) throw new Error('the expression has no value');
  if (typeof value === 'boolean') return value;
  // JSON has no NaN and no infinities.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  const text = math.format(value as Parameters<typeof math.format>[0], { precision: 14 });
  if (text.length > MAX_VALUE) throw new Error(`the value has more than ${MAX_VALUE} characters`);
  return text;
}

serve(calculate);
