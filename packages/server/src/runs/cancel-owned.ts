import { setImmediate } from 'node:timers/promises';
import { ApiError } from '@llmgine/protocol';
import type { RunPlace, SessionKey, Storage } from '../storage/types.ts';

export interface CancelOwnedOptions {
  readonly storage: Pick<Storage, 'unfinishedRuns'>;
  readonly runs: { cancel(key: SessionKey, runId: string): Promise<unknown> };
}

const SLICE = 100;

/**
 * Cancels the unfinished runs of one principal that are there now. Resolves when their ends are durable; rejects when one of
 * them cannot be recorded, after it has tried the others.
 */
export async function cancelOwned(
  { storage, runs }: CancelOwnedOptions,
  { tenantId, ownerId }: Pick<SessionKey, 'tenantId' | 'ownerId'>,
): Promise<void> {
  let before: RunPlace | null = null;
  let failure: unknown;
  do {
    const page = await storage.unfinishedRuns({ limit: SLICE, tenantId, ...(before ? { before } : {}) });
    const own = page.runs.filter((run) => run.ownerId === ownerId);
    for (const { reason } of await Promise.allSettled(own.map((run) => runs.cancel(run, run.runId))).then(
      rejected,
    )) {
      // It has ended otherwise.
      if (!(reason instanceof ApiError && reason.code === 'RUN_NOT_FOUND')) failure = reason;
    }
    before = page.next;
    await setImmediate();
  } while (before);
  if (failure !== undefined) throw failure;
}

function rejected(settled: readonly PromiseSettledResult<unknown>[]): PromiseRejectedResult[] {
  return settled.filter((one) => one.status === 'rejected');
}
