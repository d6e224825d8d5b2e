import type { Amounts, UseChange } from './budget.ts';
import type { DayUse } from './rows.ts';
import type { UsageDaysTable } from './tables.ts';

export type DayCounts = Omit<UsageDaysTable, 'tenant_id' | 'owner_id' | 'day'>;

/** What a change adds to the row of its day. */
export function countsOf({ usage, steps, elapsedMs, reserved }: UseChange): DayCounts {
  return {
    input_tokens: usage?.input_tokens ?? 0,
    output_tokens: usage?.output_tokens ?? 0,
    total_tokens: usage?.total_tokens ?? 0,
    cached_input_tokens: usage?.cached_input_tokens ?? 0,
    reasoning_tokens: usage?.reasoning_tokens ?? 0,
    cost: usage?.cost ?? 0,
    steps,
    elapsed_ms: elapsedMs,
    reserved_tokens: reserved.tokens,
    reserved_cost: reserved.cost,
    reserved_steps: reserved.steps,
    reserved_ms: reserved.ms,
  };
}

/** Everything that is not free any more. */
export function takenOn(row: DayCounts): Amounts {
  return {
    tokens: row.total_tokens + row.reserved_tokens,
    cost: row.cost + row.reserved_cost,
    steps: row.steps + row.reserved_steps,
    ms: row.elapsed_ms + row.reserved_ms,
  };
}

/** Null for a row that was only locked, or whose reservations were all for nothing. */
export function toDayUse(row: DayCounts): DayUse | null {
  if (row.steps + row.total_tokens + row.elapsed_ms + row.reserved_steps + row.reserved_ms === 0) return null;
  return {
    usage: {
      input_tokens: row.input_tokens,
      output_tokens: row.output_tokens,
      total_tokens: row.total_tokens,
      ...(row.cached_input_tokens > 0 ? { cached_input_tokens: row.cached_input_tokens } : {}),
      ...(row.reasoning_tokens > 0 ? { reasoning_tokens: row.reasoning_tokens } : {}),
      ...(row.cost > 0 ? { cost: row.cost } : {}),
    },
    steps: row.steps,
    elapsedMs: row.elapsed_ms,
    reserved: {
      tokens: row.reserved_tokens,
      cost: row.reserved_cost,
      steps: row.reserved_steps,
      ms: row.reserved_ms,
    },
  };
}
