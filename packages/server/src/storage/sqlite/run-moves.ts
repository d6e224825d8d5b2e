import { sql } from 'kysely';
import type { AppendRefusal, Write } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { RequestWrites } from './request-writes.ts';
import type { RunWrites } from './run-writes.ts';
import type { AppendState } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type LeaveArgs = RunKey & { status: 'awaiting_input' | 'queued'; elapsedMs: number };

/** How an unfinished run changes hands: parked, given back, taken over. */
export class RunMoves {
  readonly #boot: number;
  readonly #runs: RunWrites;
  readonly #requests: RequestWrites;
  readonly #leave: Prepared<LeaveArgs, unknown>;
  readonly #recover: Prepared<RunKey & { boot: number; attempt: number }, unknown>;
  readonly #wake: Prepared<RunKey & { boot: number }, unknown>;

  constructor(
    database: Database,
    parts: { readonly boot: number; readonly runs: RunWrites; readonly requests: RequestWrites },
  ) {
    this.#boot = parts.boot;
    this.#runs = parts.runs;
    this.#requests = parts.requests;
    const db = database.sql;
    this.#leave = database.prepare((p: LeaveArgs) =>
      db
        .updateTable('runs')
        .set({ status: p.status, boot: null, elapsed_ms: p.elapsedMs, open_seq: null })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'running'),
    );
    this.#recover = database.prepare((p: RunKey & { boot: number; attempt: number }) =>
      db
        .updateTable('runs')
        .set({
          status: 'queued',
          boot: p.boot,
          open_seq: null,
          recoveries: sql<number>`recoveries + (status = 'running')`,
        })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('attempt', '=', p.attempt)
        .where('status', 'in', ['queued', 'running'])
        .where((eb) => eb.or([eb('boot', 'is', null), eb('boot', '<', p.boot)])),
    );
    this.#wake = database.prepare((p: RunKey & { boot: number }) =>
      db
        .updateTable('runs')
        .set({ status: 'queued', boot: p.boot })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'awaiting_input'),
    );
  }

  park({ session }: AppendState, { runId, elapsedMs }: WriteOf<'park_run'>): AppendRefusal | undefined {
    if (this.#runs.find(session, runId)?.status !== 'running') return 'run_not_in_state';
    if (!this.#requests.arePending(session, runId)) return 'nothing_pending';
    this.#leave.run({ session, runId, status: 'awaiting_input', elapsedMs });
    return undefined;
  }

  release({ session }: AppendState, { runId, elapsedMs }: WriteOf<'release_run'>): AppendRefusal | undefined {
    const changed = this.#leave.run({ session, runId, status: 'queued', elapsedMs });
    return changed === 0 ? 'run_not_in_state' : undefined;
  }

  recover(
    { session }: AppendState,
    { runId, attempt, openSeq }: WriteOf<'recover_run'>,
  ): AppendRefusal | undefined {
    if (openSeq !== undefined && this.#runs.find(session, runId)?.open_seq !== openSeq) {
      return 'run_not_in_state';
    }
    const changed = this.#recover.run({ session, runId, attempt, boot: this.#boot });
    return changed === 0 ? 'run_not_in_state' : undefined;
  }

  /** Queues the run again if it was parked and has nothing left to wait for. */
  wake(session: number, runId: string): void {
    if (!this.#requests.arePending(session, runId)) this.#wake.run({ session, runId, boot: this.#boot });
  }
}
