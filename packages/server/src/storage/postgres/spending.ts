import type { Usage } from '@llmgine/protocol';
import { isNoChange, type Progress, type UseChange, usedBy } from '../budget.ts';
import { toRunUse, useColumns } from '../run-use.ts';
import { reserve, settle } from '../settlement.ts';
import type { AppendRefusal, Write } from '../types.ts';
import { addUsage, utcDay } from '../usage.ts';
import type { RunDraft } from './draft.ts';
import { encode } from './text.ts';
import type { AppendDraft } from './writes.ts';

/** What the run has used by now, as its columns hold it; the sums of its session and of its owner change with it. */
export function settled(
  append: AppendDraft,
  run: RunDraft,
  progress: Progress,
  release: 'call' | 'all',
): ReturnType<typeof useColumns> {
  const { after, change } = settle(toRunUse(run), progress, release);
  add(append, change);
  return useColumns(after);
}

export function reserveBudget(
  append: AppendDraft,
  write: Extract<Write, { kind: 'reserve_budget' }>,
): AppendRefusal | undefined {
  const { now } = append.session;
  const runId = encode(write.runId);
  const run = now.runs.get(runId);
  if (run?.status !== 'running') return 'run_not_in_state';
  const name = { ...append.owner, day: utcDay(write.at) };
  const sums = { session: usedBy(now.use), today: append.batch.days.taken(name) };
  const reserved = reserve(toRunUse(run), sums, write);
  if ('exceeded' in reserved) {
    append.exceeded = reserved.exceeded;
    return 'budget_exceeded';
  }
  now.runs.set(runId, { ...run, ...useColumns(reserved.after) });
  for (const change of reserved.changes) add(append, change);
  append.granted = reserved.grant;
  return undefined;
}

function add({ session, spent }: AppendDraft, change: UseChange): void {
  if (isNoChange(change)) return;
  const { use } = session.now;
  session.now.use = {
    usage: addUsage(use.usage, change.usage),
    steps: use.steps + change.steps,
    elapsedMs: use.elapsedMs + change.elapsedMs,
  };
  spent.push(change);
}

/** What all runs of a session have used. */
export interface SessionUse {
  readonly usage: Usage | null;
  readonly steps: number;
  readonly elapsedMs: number;
}
