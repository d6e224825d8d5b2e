import { newEvent } from '../sessions/log.ts';
import type { NewEvent, RunSummary, Storage, Write } from '../storage/types.ts';

/** What a run that ends does about the requests that nobody has answered: part of the append that ends it. */
export async function cancelPending(
  storage: Storage,
  run: RunSummary,
): Promise<{ readonly events: NewEvent[]; readonly writes: Write[] }> {
  const events: NewEvent[] = [];
  const writes: Write[] = [];
  const at = Date.now();
  for (const { requestId, resolution } of await storage.requestsOfRun(run, run.runId)) {
    if (resolution) continue;
    const outcome = 'cancelled' as const;
    events.push(newEvent('input_resolved', run.runId, { request_id: requestId, by: 'system', outcome }, at));
    writes.push({
      kind: 'resolve_request',
      requestId,
      resolution: { outcome, by: 'system', value: undefined, reason: null, at },
    });
  }
  return { events, writes };
}
