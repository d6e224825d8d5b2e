/** A finished step is never repeated, and what a run used is what its finished steps used. */
import { isDeepStrictEqual } from 'node:util';
import type { SessionEvent, Usage } from '@llmgine/protocol';
import { eventsByRun, type Facts } from '../facts.ts';

export function* stepsAndUsage({ sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    for (const [runId, events] of eventsByRun(session))
      yield* check(`${session.session}: run ${runId}`, events);
  }
}

function* check(run: string, events: readonly SessionEvent[]): Iterable<string> {
  let finished = 0;
  let used: Usage | null = null;
  for (const event of events) {
    if (event.event_type === 'step_started' && event.payload.step <= finished) {
      yield `${run} starts step ${event.payload.step} at ${event.cursor} although step ${finished} is finished`;
    }
    if (event.event_type === 'step_finished') {
      const { step, usage } = event.payload;
      if (step <= finished) yield `${run} finishes step ${step} at ${event.cursor} after step ${finished}`;
      finished = Math.max(finished, step);
      used = sum(used, usage);
    }
    if (event.event_type === 'run_finished' && !isDeepStrictEqual(event.payload.usage, used)) {
      const [told, right] = [event.payload.usage, used].map((value) => JSON.stringify(value));
      yield `${run} used ${told}, and its steps ${right}`;
    }
  }
}

function sum(a: Usage | null, b: Usage | null): Usage | null {
  if (!a || !b) return a ?? b;
  const total: Usage = { ...a };
  for (const [key, value = 0] of Object.entries(b) as [keyof Usage, number | undefined][]) {
    total[key] = (total[key] ?? 0) + value;
  }
  return total;
}
