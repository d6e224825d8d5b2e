/**
 * `queued`: waits for its turn, or to be continued. `awaiting_input`: parked until somebody answers its requests; it keeps
 * its place in the session.
 */
export const RUN_STATUSES = [
  'queued',
  'running',
  'awaiting_input',
  'completed',
  'failed',
  'cancelled',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** How a run can end. A run ends once, and nothing follows its end. */
export const RUN_OUTCOMES = ['completed', 'failed', 'cancelled'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export function isFinished(status: RunStatus): status is RunOutcome {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
