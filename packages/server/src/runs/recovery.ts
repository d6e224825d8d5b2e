import { ApiError, type EventPayload, type Usage } from '@llmgine/protocol';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import type { RunRow, Storage } from '../storage/types.ts';
import { addUsage } from './usage.ts';

/** Events that are read at once to see what a run has used. */
const PAGE = 200;

/**
 * Ends the runs that a process left `running` when it died: half-streamed text is withdrawn, and the run is `failed` with
 * `RUN_INTERRUPTED` and the usage of the steps that it had finished. Returns how many there were.
 */
export async function endOrphanedRuns(storage: Storage, log: SessionLog): Promise<number> {
  const orphans = await storage.orphanedRuns();
  await Promise.all(orphans.map((run) => endOrphan(run, storage, log)));
  return orphans.length;
}

async function endOrphan(run: RunRow, storage: Storage, log: SessionLog): Promise<void> {
  const now = Date.now();
  const events = [];
  if (run.openSeq !== null) {
    const started = (await storage.readEvents(run, run.openSeq - 1, 1))?.events[0];
    if (started?.eventType === 'message_started') {
      const { message_id } = JSON.parse(started.payload) as EventPayload<'message_started'>;
      events.push(newEvent('message_discarded', run.runId, { message_id }, now));
    }
  }
  const end = {
    status: 'failed' as const,
    result: null,
    usage: await usageOf(run, storage),
    error: { code: 'RUN_INTERRUPTED', message: new ApiError('RUN_INTERRUPTED').message },
  };
  events.push(newEvent('run_finished', run.runId, end, now));
  await log.append({
    session: run,
    touchedAt: now,
    events,
    writes: [{ kind: 'finish_run', runId: run.runId, from: ['running'], ...end, at: now }],
  });
}

/** Of the steps that are in the log. */
async function usageOf(run: RunRow, storage: Storage): Promise<Usage | null> {
  let usage: Usage | null = null;
  let after = run.acceptedSeq;
  for (;;) {
    const events = (await storage.readEvents(run, after, PAGE))?.events ?? [];
    for (const event of events) {
      if (event.runId !== run.runId || event.eventType !== 'step_finished') continue;
      usage = addUsage(usage, (JSON.parse(event.payload) as EventPayload<'step_finished'>).usage);
    }
    const last = events.at(-1);
    if (!last) return usage;
    after = last.seq;
  }
}
