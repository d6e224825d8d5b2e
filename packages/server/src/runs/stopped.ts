/**
 * Why a run is ended from outside. `lost`: the process has lost its claim on its runs, and somebody else may execute them.
 * `broken`: the log has refused it, or the storage failed. `budget`: it has used up one of its budgets.
 */
export type StopReason =
  | 'cancelled'
  | 'timeout'
  | 'shutdown'
  | 'session_closed'
  | 'lost'
  | 'broken'
  | 'budget';

/** What the signal of a run that is ended from outside aborts with. */
export class Stopped extends Error {
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`run stopped: ${reason}`);
    this.name = 'AbortError';
    this.reason = reason;
  }
}

/** Thrown into an engine whose run waits for people. */
export class Parked extends Error {
  constructor() {
    super('the run is parked until somebody answers');
    this.name = 'Parked';
  }
}
