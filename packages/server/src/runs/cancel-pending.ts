import { newEvent } from '../sessions/log.ts';
import type { NewEvent, RunSummary, Storage, Write } from '../storage/types.ts';

interface Cancelled {
  readonly events: NewEvent[];
  readonly writes: Write[];
}

/** What a run that ends does about the requests that nobody has answered: part of the append that ends it. */
export async function cancelPending(storage: Storage, run: RunSummary): Promise<Cancelled> {
  const at = Date.now();
  const requests = await storage.requestsOfRun(run, run.runId);
  const pending = requests.filter(({ resolution }) => !resolution).map(({ requestId }) => requestId);
  return cancelRequests(run.runId, pending, at);
}

/** The same for requests that are known to be pending. */
export function cancelRequests(runId: string, requestIds: readonly string[], at: number): Cancelled {
  const outcome = 'cancelled' as const;
  const by = 'system';
  return {
    events: requestIds.map((request_id) =>
      newEvent('input_resolved', runId, { request_id, by, outcome }, at),
    ),
    writes: requestIds.map((requestId) => ({
      kind: 'resolve_request' as const,
      requestId,
      resolution: { outcome, by, value: undefined, reason: null, at },
    })),
  };
}
