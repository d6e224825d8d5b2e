/** What dead processes have left unfinished: continued where that is possible, ended where it is not. */
import { ApiError, type EventPayload } from '@llmgine/protocol';
import type { EngineService } from '../engines/service.ts';
import type { EngineLogger } from '../engines/types.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import type { NewEvent, RunRow, SessionKey, Storage, Write } from '../storage/types.ts';
import { cancelPending } from './cancel-pending.ts';
import { usedUntilNow } from './cut-off.ts';

/** A run whose processes die so often in a row, without a finished step in between, may be what kills them. */
const MAX_RECOVERIES = 5;

export interface RecoveryOptions {
  readonly storage: Storage;
  readonly log: SessionLog;
  readonly engines: EngineService;
  readonly logger: EngineLogger;
  /** The session has a run that can be executed. */
  readonly onQueued: (key: SessionKey) => void;
  /** A run has ended without having been executed again. */
  readonly onEnded: (at: number) => void;
}

/**
 * Takes over every run whose owner is gone. Half-streamed text is withdrawn. A run of a resumable engine is queued, to go
 * on from its last finished step; any other ends as `failed` with `RUN_INTERRUPTED` and what it had used.
 */
export async function recoverRuns(options: RecoveryOptions): Promise<void> {
  const orphans = await options.storage.orphanedRuns();
  await Promise.all(orphans.map((run) => recover(run, options)));
}

async function recover(run: RunRow, options: RecoveryOptions): Promise<void> {
  const { runId, status, recoveries, attempt } = run;
  const interrupted = status === 'running';
  const canGoOn =
    !interrupted || (options.engines.isResumable(run.engineType) && recoveries < MAX_RECOVERIES);
  const events = interrupted ? await withdrawal(run, options.storage) : [];
  const used = await usedUntilNow(options.storage, run);
  const writes: Write[] = [{ kind: 'recover_run', runId, attempt, openSeq: run.openSeq, ...used }];
  if (!canGoOn) {
    const end = await interruption({ ...run, ...used }, options.storage);
    events.push(...end.events);
    writes.push(...end.writes);
  }
  const at = Date.now();
  const { ok } = await options.log.append({ session: run, touchedAt: at, events, writes });
  // Otherwise somebody else was first.
  if (!ok) return;
  const fields = { session_id: run.sessionId, run_id: runId, attempt, recoveries };
  if (canGoOn) {
    if (interrupted) options.logger.warn(fields, 'took over a run that a stopped process left unfinished');
    options.onQueued({ tenantId: run.tenantId, ownerId: run.ownerId, sessionId: run.sessionId });
  } else {
    options.logger.warn(fields, 'ended a run that a stopped process left unfinished');
    options.onEnded(at);
  }
}

/** Of what was half said. */
async function withdrawal(run: RunRow, storage: Storage): Promise<NewEvent[]> {
  if (run.openSeq === null) return [];
  const started = (await storage.readEvents(run, run.openSeq - 1, 1))?.events[0];
  if (started?.eventType !== 'message_started') return [];
  const { message_id } = JSON.parse(started.payload) as EventPayload<'message_started'>;
  return [newEvent('message_discarded', run.runId, { message_id })];
}

async function interruption(run: RunRow, storage: Storage): Promise<{ events: NewEvent[]; writes: Write[] }> {
  const { runId, usage } = run;
  const { events, writes } = await cancelPending(storage, run);
  const at = Date.now();
  const end = {
    status: 'failed' as const,
    result: null,
    usage,
    error: { code: 'RUN_INTERRUPTED', message: new ApiError('RUN_INTERRUPTED').message },
  };
  return {
    events: [...events, newEvent('run_finished', runId, end, at)],
    writes: [...writes, { kind: 'finish_run', runId, from: ['queued'], ...end, at }],
  };
}
