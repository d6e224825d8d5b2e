import type { Append, Write } from '../types.ts';
import { utcDay } from '../usage.ts';
import { encode, indexed } from './text.ts';

export interface RunName {
  readonly session: number;
  readonly run_id: string;
}
export interface RequestName {
  readonly session: number;
  readonly request_id: string;
}
/** The days of owners that change, by one of their sessions. */
export interface DayNeed {
  readonly session: number;
  readonly day: string;
}
export interface EventName {
  readonly session: number;
  readonly event_id: string;
}

/** The rows that appends refer to, so that all of a kind are read at once. Names as the columns hold them. */
export class Needs {
  readonly runs: RunName[] = [];
  readonly requests: RequestName[] = [];
  /** Runs all of whose requests count, because a key must be new. */
  readonly keysOf: RunName[] = [];
  /** Sessions whose pending requests count. */
  readonly pendingOf = new Set<number>();
  readonly eventIds: EventName[] = [];
  readonly days: DayNeed[] = [];
  /** Whether it matters what is left of a day. */
  budgets = false;
  /** Whether it matters which other processes are alive. */
  owners = false;

  add(session: number, append: Append): void {
    if (append.fence) this.#run(session, append.fence.runId);
    for (const { eventId } of append.events) {
      if (eventId !== undefined) this.eventIds.push({ session, event_id: indexed(eventId) });
    }
    for (const write of append.writes ?? []) this.#write(session, write, append);
  }

  #write(session: number, write: Write, { events }: Append): void {
    switch (write.kind) {
      case 'insert_message': {
        const runId = events[write.eventIndex]?.runId ?? null;
        if (runId !== null) this.#run(session, runId);
        break;
      }
      case 'create_run':
        this.#run(session, write.run.runId);
        break;
      case 'recover_run':
        this.owners = true;
        this.#day(session, Date.now());
        this.#run(session, write.runId);
        break;
      case 'park_run':
      case 'finish_run':
        this.pendingOf.add(session);
        this.#day(session, 'at' in write ? write.at : Date.now());
        this.#run(session, write.runId);
        break;
      case 'reserve_budget':
        this.budgets ||= write.budgets.principal !== undefined;
        this.#day(session, write.at);
        this.#run(session, write.runId);
        break;
      case 'checkpoint':
        this.#day(session, write.at ?? Date.now());
        this.#run(session, write.runId);
        break;
      case 'release_run':
        this.#day(session, Date.now());
        this.#run(session, write.runId);
        break;
      case 'start_run':
      case 'open_message':
        this.#run(session, write.runId);
        break;
      case 'create_request':
        this.keysOf.push({ session, run_id: encode(write.request.runId) });
        this.#run(session, write.request.runId);
        break;
      case 'claim_request':
      case 'resolve_request':
        this.pendingOf.add(session);
        this.requests.push({ session, request_id: encode(write.requestId) });
        break;
      case 'link_engine':
      case 'unlink_engine':
      case 'set_engine_status':
        break;
    }
  }

  #day(session: number, at: number): void {
    this.days.push({ session, day: utcDay(at) });
  }

  #run(session: number, runId: string): void {
    this.runs.push({ session, run_id: encode(runId) });
  }
}
