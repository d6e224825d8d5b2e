import type { Usage } from '@llmgine/protocol';
import type { Reservation, RunUse } from './budget.ts';

/** The columns of a run that say what it has used. */
export interface UseColumns {
  readonly usage: string | null;
  readonly steps: number;
  readonly elapsed_ms: number;
  readonly reserved: string | null;
}

export function toRunUse(row: UseColumns): RunUse {
  return {
    usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
    steps: row.steps,
    elapsedMs: row.elapsed_ms,
    reserved: toReservation(row.reserved),
  };
}

export function toReservation(reserved: string | null): Reservation | null {
  return reserved === null ? null : (JSON.parse(reserved) as Reservation);
}

/** How many calls of models are under way. */
export function callsOf({ reserved }: Pick<UseColumns, 'reserved'>): number {
  return toReservation(reserved)?.steps ?? 0;
}

export function useColumns({ usage, steps, elapsedMs, reserved }: RunUse): UseColumns {
  return {
    usage: usage && JSON.stringify(usage),
    steps,
    elapsed_ms: elapsedMs,
    reserved: reserved && JSON.stringify(reserved),
  };
}
