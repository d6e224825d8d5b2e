import type { Usage } from '@llmgine/protocol';
import { estimateUse } from '../storage/settlement.ts';
import type { RunRow, Storage } from '../storage/types.ts';
import { addUsage } from '../storage/usage.ts';
import { tokensIn } from './call-meter.ts';

/**
 * What a run has used that is ended or taken over from outside: calls of models that were under way count what they were
 * given, and what the log has of their answer.
 */
export async function usedUntilNow(
  storage: Storage,
  run: RunRow,
): Promise<{ readonly usage: Usage | null; readonly steps: number }> {
  const { usage, steps, reserved } = run;
  if (!reserved || reserved.steps === 0) return { usage, steps };
  const said = await charactersSaid(storage, run);
  return { usage: addUsage(usage, estimateUse(reserved, tokensIn(said))), steps: steps + 1 };
}

async function charactersSaid(storage: Storage, run: RunRow): Promise<number> {
  const { runId, openSeq } = run;
  if (openSeq === null) return 0;
  let characters = 0;
  for (const { seq, payload } of await storage.runEvents(run, runId, ['text_delta', 'reasoning_delta'])) {
    if (seq > openSeq) characters += (JSON.parse(payload) as { text: string }).text.length;
  }
  return characters;
}
