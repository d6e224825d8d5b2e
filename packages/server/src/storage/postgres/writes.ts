import type {
  Append,
  AppendRefusal,
  EngineRow,
  Exceeded,
  Grant,
  NewEvent,
  Replaced,
  UseChange,
  Write,
} from '../types.ts';
import type { BatchDraft, SessionDraft } from './draft.ts';
import { claimRequest, createRequest, resolveRequest } from './request-writes.ts';
import {
  checkpoint,
  createRun,
  finishRun,
  openMessage,
  parkRun,
  recoverRun,
  releaseRun,
  startRun,
  wakeRun,
} from './run-writes.ts';
import { reserveBudget } from './spending.ts';
import { encode, encodeNullable } from './text.ts';

/** One append while it is applied: each of its writes sees what those before it did. */
export interface AppendDraft {
  readonly batch: BatchDraft;
  readonly session: SessionDraft;
  /** Whose it is. */
  readonly owner: { readonly tenant_id: string; readonly owner_id: string };
  readonly firstSeq: number;
  /** Set by `create_run`. */
  position: number | undefined;
  /** Set by `reserve_budget`. */
  granted: Grant | undefined;
  exceeded: Exceeded | undefined;
  /** What the runs of this append have used; it counts when nothing of it was refused. */
  readonly spent: UseChange[];
  /** Of its streamed messages. */
  readonly replaced: Replaced[];
}

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

/** Stops at the first write that is refused and says why; the caller takes the draft back. */
export function applyWrites(append: AppendDraft, { writes = [], events }: Append): AppendRefusal | undefined {
  for (const write of writes) {
    const refused = apply(append, write, events);
    if (refused) return refused;
  }
  return undefined;
}

function apply(append: AppendDraft, write: Write, events: readonly NewEvent[]): AppendRefusal | undefined {
  const { now } = append.session;
  switch (write.kind) {
    case 'create_run':
      return createRun(append, write);
    case 'start_run':
      return startRun(append, write);
    case 'checkpoint':
      return checkpoint(append, write);
    case 'reserve_budget':
      return reserveBudget(append, write);
    case 'park_run':
      return parkRun(append, write);
    case 'release_run':
      return releaseRun(append, write);
    case 'recover_run':
      return recoverRun(append, write);
    case 'finish_run':
      return finishRun(append, write);
    case 'open_message':
      return openMessage(append, write);
    case 'insert_message':
      return insertMessage(append, write, events);
    case 'create_request':
      return createRequest(append, write);
    case 'claim_request':
      return claimRequest(append, write);
    case 'resolve_request': {
      const resolved = resolveRequest(append, write);
      if (typeof resolved === 'string') return resolved;
      wakeRun(append, resolved.runId);
      return undefined;
    }
    case 'link_engine':
      if (now.unfinishedRuns > 0) return 'run_in_progress';
      return link(append, write.engine);
    case 'unlink_engine':
      if (now.unfinishedRuns > 0) return 'run_in_progress';
      if (now.engineId !== encode(write.engineId)) return 'engine_changed';
      return link(append, null);
    case 'set_engine_status':
      if (now.engineId === encode(write.engineId)) now.engineStatus = write.status;
      return undefined;
  }
}

function insertMessage(
  { session, firstSeq, ...append }: AppendDraft,
  { eventIndex, streamed = false }: WriteOf<'insert_message'>,
  events: readonly NewEvent[],
): undefined {
  const event = events[eventIndex];
  if (!event) throw new RangeError(`There is no event ${eventIndex} in the append`);
  const seq = firstSeq + eventIndex;
  const runId = encodeNullable(event.runId);
  const run = runId === null ? undefined : session.now.runs.get(runId);
  const fromSeq = (streamed ? (run?.open_seq ?? seq) : seq) + 1;
  const replaces = fromSeq < seq;
  session.now.messages.push({
    session: session.position,
    seq,
    accepted_seq: run?.accepted_seq ?? seq,
    from_seq: replaces ? fromSeq : null,
    to_seq: replaces ? seq - 1 : null,
    completed_at: event.createdAt,
    size: event.payload.length,
    run_id: runId,
    message: event.payload,
  });
  if (replaces) append.replaced.push({ eventIndex, fromSeq, toSeq: seq - 1 });
}

function link({ session }: AppendDraft, engine: EngineRow | null): undefined {
  session.now.engineId = encodeNullable(engine?.engineId ?? null);
  session.now.linked = engine;
  session.now.engineStatus = undefined;
}
