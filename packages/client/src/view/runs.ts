/** Runs and their steps, as the events tell them. */
import type { SessionEvent } from '@llmgine/protocol/wire';
import { isFinished } from '@llmgine/protocol/wire';
import type { ViewRequest, ViewRun, ViewState, ViewStep } from './types.ts';

/** More is not kept of what has ended. */
const MAX_FINISHED = 100;

type Runs = readonly ViewRun[];

export function changeRun(runs: Runs, id: string | undefined, change: (run: ViewRun) => ViewRun): Runs {
  const at = runs.findLastIndex(({ run_id }) => run_id === id);
  const run = runs[at];
  if (!run) return runs;
  const changed = change(run);
  return changed === run ? runs : runs.with(at, changed);
}

export function queued(state: ViewState, event: SessionEvent & { event_type: 'run_queued' }): Runs {
  const { run_id, payload, cursor, created_at } = event;
  if (run_id === undefined || state.runs.some((run) => run.run_id === run_id)) return state.runs;
  const finished = state.runs.filter(({ status }) => isFinished(status)).length;
  const oldest = finished < MAX_FINISHED ? -1 : state.runs.findIndex(({ status }) => isFinished(status));
  const kept = oldest < 0 ? state.runs : state.runs.toSpliced(oldest, 1);
  return [
    ...kept,
    {
      run_id,
      session_id: state.sessionId,
      engine_id: state.engine?.engine_id ?? '',
      engine_type: state.engine?.engine_type ?? '',
      command: payload.command,
      status: 'queued',
      result: null,
      usage: null,
      error: null,
      cursor,
      created_at,
      started_at: null,
      finished_at: null,
      steps: [],
      status_text: null,
    },
  ];
}

/** A run waits when something is asked that only people answer, until nothing is. */
export function waits(runs: Runs, id: string | null, requests: readonly ViewRequest[]): Runs {
  const isAsked = requests.some(({ run_id }) => run_id === id);
  return changeRun(runs, id ?? undefined, (run) => {
    if (isFinished(run.status)) return run;
    if (isAsked) return { ...run, status: 'awaiting_input' };
    return run.status === 'awaiting_input' ? { ...run, status: 'queued' } : run;
  });
}

export function stepStarted(run: ViewRun, event: SessionEvent & { event_type: 'step_started' }): ViewRun {
  const { step, model } = event.payload;
  const started: ViewStep = {
    step,
    model,
    started_at: event.created_at,
    first_token_at: null,
    finished_at: null,
    usage: null,
    finish_reason: null,
  };
  // A step that is done anew takes the place of the one that was cut off.
  return { ...run, steps: [...run.steps.filter((known) => known.step !== step), started] };
}

export function stepFinished(run: ViewRun, event: SessionEvent & { event_type: 'step_finished' }): ViewRun {
  const { step, usage, finish_reason } = event.payload;
  const steps = run.steps.map((known) =>
    known.step === step ? { ...known, usage, finish_reason, finished_at: event.created_at } : known,
  );
  return { ...run, steps };
}

/** Only the first piece of a step changes anything. */
export function answering(run: ViewRun, at: string): ViewRun {
  const last = run.steps.at(-1);
  if (!last || last.first_token_at !== null || last.finished_at !== null) return run;
  return { ...run, steps: run.steps.with(-1, { ...last, first_token_at: at }) };
}
