import { newEvent, type SessionLog } from '../sessions/log.ts';
import type { NewEvent, WaitingRun, Write } from '../storage/types.ts';
import { cancelRequests } from './cancel-pending.ts';

/**
 * Cancels a run that waits, with nothing read before. Several at once share a commit. False when it does not wait as it did,
 * or has ended; nothing was changed then.
 */
export async function endWaiting(log: SessionLog, run: WaitingRun, at: number): Promise<boolean> {
  const { runId, usage, steps } = run;
  const requests = cancelRequests(runId, run.pending, at);
  const end = { status: 'cancelled' as const, result: null, usage, error: null };
  const events: NewEvent[] = [...requests.events, newEvent('run_finished', runId, end, at)];
  const finish: Write = {
    kind: 'finish_run',
    runId,
    // One that awaits input is queued again by the last resolution.
    from: [run.status, 'queued'],
    ...end,
    steps,
    at,
    fromSteps: steps,
    fromOpenSeq: null,
    fromCalls: 0,
  };
  const outcome = await log.append({
    session: run,
    touchedAt: at,
    events,
    writes: [...requests.writes, finish],
  });
  return outcome.ok;
}
