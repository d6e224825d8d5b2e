/** Checkpoints and reservations of runs, as tests of usage and of budgets write them. */
import type { Usage } from '@llmgine/protocol';
import type { Budgets, SessionKey, Storage, Write } from '../../../packages/server/src/storage/types.ts';
import { append, fence } from './fixtures.ts';

export const DAY = '2026-03-04';
export const AT = Date.UTC(2026, 2, 4, 12);
export const NEXT_DAY = '2026-03-05';
export const TOMORROW = AT + 86_400_000;
export const NOTHING = { tokens: 0, cost: 0, steps: 0, ms: 0 };
export const PRICE = { input: 0.001, output: 0.01 };

export const used = (input: number, output: number, extra: Partial<Usage> = {}): Usage => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
  ...extra,
});

export type Checkpoint = Extract<Write, { kind: 'checkpoint' }>;
export const checkpoint = (runId: string, usage: Usage | null, values: Partial<Checkpoint> = {}): Write => ({
  kind: 'checkpoint',
  runId,
  usage,
  elapsedMs: 0,
  at: AT,
  ...values,
});

export type Reserve = Extract<Write, { kind: 'reserve_budget' }>;
export const reserve = (runId: string, budgets: Budgets, values: Partial<Reserve> = {}): Reserve => ({
  kind: 'reserve_budget',
  runId,
  budgets,
  call: { inputTokens: 10, maxOutputTokens: 20, price: PRICE },
  elapsedMs: 0,
  at: AT,
  ...values,
});

/** What the storage answers to a fenced reservation: what is granted, or where there is no room. */
export async function reserved(storage: Storage, session: SessionKey, write: Reserve, attempt = 1) {
  const outcome = await append(storage, session, { fence: fence(write.runId, attempt), writes: [write] });
  if (outcome.ok) return outcome.granted;
  return outcome.exceeded ? { refused: outcome.reason, ...outcome.exceeded } : outcome.reason;
}
