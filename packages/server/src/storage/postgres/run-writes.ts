import { isFinished } from '@llmgine/protocol';
import { callsOf } from '../run-use.ts';
import type { AppendRefusal, Write } from '../types.ts';
import type { RunDraft } from './draft.ts';
import { hasPending } from './request-writes.ts';
import { settled } from './spending.ts';
import { encode } from './text.ts';
import type { AppendDraft } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type Refused = AppendRefusal | undefined;

export function createRun(append: AppendDraft, { run, maxAhead }: WriteOf<'create_run'>): Refused {
  const { now } = append.session;
  const runId = encode(run.runId);
  if (now.runs.has(runId)) return 'run_exists';
  if (now.engineId !== encode(run.engineId)) return 'engine_changed';
  if (now.unfinishedRuns > maxAhead) return 'run_in_progress';
  now.runs.set(runId, {
    accepted_seq: append.firstSeq,
    status: 'queued',
    boot: append.batch.boot,
    open_seq: null,
    attempt: 0,
    elapsed_ms: 0,
    recoveries: 0,
    started_at: null,
    finished_at: null,
    usage: null,
    steps: 0,
    reserved: null,
    result: null,
    error: null,
    added: {
      created_at: run.createdAt,
      engine_id: encode(run.engineId),
      engine_type: encode(run.engineType),
      command: encode(run.command),
      body_hash: encode(run.bodyHash),
      engine_config: JSON.stringify(run.engineConfig),
      parameters: JSON.stringify(run.parameters),
    },
  });
  append.position = now.unfinishedRuns++;
  return undefined;
}

export function startRun(append: AppendDraft, { runId, attempt, at }: WriteOf<'start_run'>): Refused {
  const { boot, alive } = append.batch;
  if (!alive) return 'fenced';
  const run = find(append, runId);
  if (run?.status !== 'queued' || run.attempt !== attempt - 1) return 'run_not_in_state';
  change(append, runId, run, { status: 'running', boot, attempt, started_at: run.started_at ?? at });
  return undefined;
}

export function checkpoint(append: AppendDraft, write: WriteOf<'checkpoint'>): undefined {
  const { runId } = write;
  const run = find(append, runId);
  if (!run || isFinished(run.status)) return;
  change(append, runId, run, { ...settled(append, run, write, 'call'), recoveries: 0 });
}

export function parkRun(append: AppendDraft, write: WriteOf<'park_run'>): Refused {
  const { runId } = write;
  const run = find(append, runId);
  if (run?.status !== 'running') return 'run_not_in_state';
  if (!hasPending(append, encode(runId))) return 'nothing_pending';
  change(append, runId, run, {
    status: 'awaiting_input',
    boot: null,
    open_seq: null,
    ...settled(append, run, write, 'all'),
  });
  return undefined;
}

export function releaseRun(append: AppendDraft, write: WriteOf<'release_run'>): Refused {
  const { runId } = write;
  const run = find(append, runId);
  if (run?.status !== 'running') return 'run_not_in_state';
  change(append, runId, run, {
    status: 'queued',
    boot: null,
    open_seq: null,
    ...settled(append, run, write, 'all'),
  });
  return undefined;
}

export function recoverRun(append: AppendDraft, write: WriteOf<'recover_run'>): Refused {
  const { runId, attempt, openSeq } = write;
  const run = find(append, runId);
  const { boot, living } = append.batch;
  if (run?.status !== 'queued' && run?.status !== 'running') return 'run_not_in_state';
  if (openSeq !== undefined && run.open_seq !== openSeq) return 'run_not_in_state';
  if (run.attempt !== attempt || (run.boot !== null && living.has(run.boot))) return 'run_not_in_state';
  const recoveries = run.recoveries + (run.status === 'running' ? 1 : 0);
  change(append, runId, run, {
    status: 'queued',
    boot,
    recoveries,
    open_seq: null,
    ...settled(append, run, write, 'all'),
  });
  return undefined;
}

export function finishRun(append: AppendDraft, write: WriteOf<'finish_run'>): Refused {
  const { runId, from, status, result, error, at, fromSteps, fromOpenSeq, fromCalls } = write;
  const run = find(append, runId);
  // A run ends once, whatever `from` says.
  if (!run || isFinished(run.status) || !from.includes(run.status)) return 'run_not_in_state';
  if (fromSteps !== undefined && run.steps !== fromSteps) return 'run_not_in_state';
  if (fromOpenSeq !== undefined && run.open_seq !== fromOpenSeq) return 'run_not_in_state';
  if (fromCalls !== undefined && callsOf(run) !== fromCalls) return 'run_not_in_state';
  if (hasPending(append, encode(runId))) return 'request_pending';
  change(append, runId, run, {
    status,
    result: JSON.stringify(result),
    ...settled(append, run, write, 'all'),
    error: error && JSON.stringify(error),
    finished_at: at,
    open_seq: null,
  });
  const { now } = append.session;
  now.unfinishedRuns--;
  // What the run kept from being pruned may be pruned now.
  now.prunable = true;
  return undefined;
}

export function openMessage(append: AppendDraft, { runId, eventIndex }: WriteOf<'open_message'>): undefined {
  const run = find(append, runId);
  if (!run || isFinished(run.status)) return;
  change(append, runId, run, { open_seq: eventIndex === null ? null : append.firstSeq + eventIndex });
}

/** Queues a run again that was parked and has nothing left to wait for. `runId` as its column holds it. */
export function wakeRun(append: AppendDraft, runId: string): void {
  const { now } = append.session;
  const run = now.runs.get(runId);
  if (run?.status !== 'awaiting_input' || hasPending(append, runId)) return;
  now.runs.set(runId, { ...run, status: 'queued', boot: append.batch.boot });
}

function find(append: AppendDraft, runId: string): RunDraft | undefined {
  return append.session.now.runs.get(encode(runId));
}

function change(append: AppendDraft, runId: string, run: RunDraft, values: Partial<RunDraft>): void {
  append.session.now.runs.set(encode(runId), { ...run, ...values });
}
