/** A history in which all is well, small enough to be read, for tests that break it in one place. */
import type {
  EventPayload,
  EventType,
  InputRequest,
  JsonObject,
  RequestOutcome,
  SessionEvent,
} from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { check } from './checker.ts';
import type { CheckOptions } from './facts.ts';
import { History, type OpenOperation, type OperationKind, type Seen } from './history.ts';

export const SESSION = 'session-1';
export const EPOCH = 'epoch';
export const RUN = 'run-1';

const AT = '2026-01-01T00:00:00.000Z';

/** A log under construction: events get their numbers from their order. */
export class SampleLog {
  readonly events: SessionEvent[] = [];

  add<T extends EventType>(event_type: T, payload: EventPayload<T>, run_id?: string): SessionEvent {
    const seq = this.events.length + 1;
    const event = {
      cursor: cursorAt(seq),
      seq,
      event_type,
      ...(run_id === undefined ? {} : { run_id }),
      payload,
      created_at: AT,
    } as SessionEvent;
    this.events.push(event);
    return event;
  }
}

export function cursorAt(seq: number, epoch = EPOCH): string {
  return `${epoch}:${seq}`;
}

const usage = (tokens: number) => ({ input_tokens: 1, output_tokens: tokens, total_tokens: 1 + tokens });

const message = (message_id: string, role: 'user' | 'assistant', text: string) => ({
  message_id,
  role,
  run_id: RUN,
  parts: [{ type: 'text' as const, text }],
  created_at: AT,
  metadata: {},
});

/** A run of two steps: a message that was withdrawn and said again, a tool, a question to people, and the answer. */
export function sampleLog(): SampleLog {
  const log = new SampleLog();
  log.add('run_queued', { command: 'prompt' }, RUN);
  log.add('message_completed', message('m0', 'user', 'Hello'), RUN);
  log.add('custom:note', { n: 1 });
  log.add('run_started', { engine_id: 'e', engine_type: 'ToolChatEngine' }, RUN);
  log.add('step_started', { step: 1, model: 'x' }, RUN);
  log.add('message_started', { message_id: 'm1', role: 'assistant' }, RUN);
  log.add('text_delta', { message_id: 'm1', text: 'Le' }, RUN);
  log.add('message_discarded', { message_id: 'm1' }, RUN);
  log.add('message_started', { message_id: 'm2', role: 'assistant' }, RUN);
  log.add('text_delta', { message_id: 'm2', text: 'Let me ' }, RUN);
  log.add('custom:note', { n: 2 });
  log.add('text_delta', { message_id: 'm2', text: 'see' }, RUN);
  const replaces = { from_seq: 10, to_seq: 12 };
  log.add('message_completed', { ...message('m2', 'assistant', 'Let me see'), replaces }, RUN);
  log.add('step_finished', { step: 1, usage: usage(3), finish_reason: 'tool_calls' }, RUN);
  log.add('tool_call', { tool_call_id: 'c1', tool_name: 'count', arguments: {} }, RUN);
  log.add('input_requested', request('q1'), RUN);
  log.add('input_resolved', { request_id: 'q1', by: 'operator', outcome: 'approved' }, RUN);
  log.add('tool_result', { tool_call_id: 'c1', result: 1, is_error: false, duration_ms: 1 }, RUN);
  log.add('step_started', { step: 2, model: 'x' }, RUN);
  log.add('step_finished', { step: 2, usage: usage(4), finish_reason: 'stop' }, RUN);
  log.add('run_finished', end('completed'), RUN);
  return log;
}

export function end(status: 'completed' | 'failed' | 'cancelled'): EventPayload<'run_finished'> {
  const all = { input_tokens: 2, output_tokens: 7, total_tokens: 9 };
  const error = status === 'failed' ? { code: 'RUN_INTERRUPTED', message: 'Interrupted' } : null;
  return { status, result: null, usage: all, error };
}

function request(request_id: string): EventPayload<'input_requested'> {
  return { request_id, kind: 'approval', prompt: 'May I?', schema: null, expires_at: AT };
}

/** What the clients did and saw, and what the log has in the end. Tests change any of it before they ask. */
export class Sample {
  readonly history = new History();
  log = sampleLog().events;
  /** What the client `c` sees, when it is not the log. */
  seen: readonly SessionEvent[] | null = null;
  /** Ways to read the log that give something else. */
  readings: Record<string, readonly SessionEvent[]> = {};
  /** How requests are listed, when it is not as the log has them: outcomes by id, null while they wait. */
  listed: Record<string, RequestOutcome | null> | null = null;

  constructor() {
    const { history } = this;
    const made = { kind: 'create_session', client: 'c', session: null, id: 'k', body: {} } as const;
    history.invoke(made).ok({ session_id: SESSION });
    this.send('command', RUN, prompt('Hello')).ok({ cursor: cursorAt(0) });
    this.send('event', 'e1', note(1)).ok({ cursor: cursorAt(3) });
    this.send('event', 'e2', note(2)).ok({ cursor: cursorAt(11) });
    this.send('answer', 'q1', { outcome: 'approved' }).ok();
    history.executed({ tool: 'count', tool_call_id: 'c1', run_id: RUN, idempotent: false });
  }

  /** The event of this number, to be changed. 5 and 19 say only that a step starts: they can become anything. */
  at(seq: number): { event_type: string; run_id?: string; payload: Record<string, unknown> } {
    return this.log[seq - 1] as never;
  }

  set(seq: number, event_type: string, payload: object, run_id = RUN): void {
    Object.assign(this.at(seq), { event_type, payload, run_id });
  }

  /** The log goes on; gives the number of the event. */
  append(event_type: string, payload: object, run_id?: string): number {
    const seq = this.log.length + 1;
    const place = { seq, cursor: cursorAt(seq), created_at: AT };
    this.log.push({ ...place, event_type, payload, ...(run_id ? { run_id } : {}) } as SessionEvent);
    return seq;
  }

  send(kind: OperationKind, id: string, body: JsonObject = {}, client = 'c'): OpenOperation {
    return this.history.invoke({ kind, client, session: SESSION, id, body });
  }

  /** A client `d` subscribes, and sees these. */
  watch(after: number, events: readonly SessionEvent[]): void {
    this.saw({ kind: 'subscribed', cursor: cursorAt(after) });
    for (const event of events) this.saw({ kind: 'event', event });
  }

  saw(what: Seen, client = 'd'): void {
    this.history.saw({ session: SESSION, client, connection: 1, ...what });
  }

  /** The log without the events of these numbers. */
  without(...seqs: number[]): SessionEvent[] {
    return this.log.filter(({ seq }) => !seqs.includes(seq));
  }

  check(options: CheckOptions = {}): readonly string[] {
    this.saw({ kind: 'subscribed', cursor: cursorAt(0) }, 'c');
    for (const event of this.seen ?? this.log) this.saw({ kind: 'event', event }, 'c');
    const cursor = this.log.at(-1)?.cursor ?? cursorAt(0);
    const readings = { rest: this.log, ...this.readings };
    const requests = Object.entries(this.listed ?? outcomesIn(this.log)).map(([request_id, outcome]) => {
      return { request_id, outcome } as InputRequest;
    });
    return check(this.history, [{ session: SESSION, cursor, readings, requests }], options);
  }
}

function outcomesIn(log: readonly SessionEvent[]): Record<string, RequestOutcome | null> {
  const outcomes: Record<string, RequestOutcome | null> = {};
  for (const { event_type, payload } of log) {
    if (event_type === 'input_requested') outcomes[payload.request_id] = null;
    // The first counts, and only of what was asked.
    if (event_type === 'input_resolved' && outcomes[payload.request_id] === null) {
      outcomes[payload.request_id] = payload.outcome;
    }
  }
  return outcomes;
}

export function prompt(text: string): JsonObject {
  return { command: 'prompt', parameters: { prompt: text } };
}

export function note(n: number): JsonObject {
  return { event_type: 'custom:note', payload: { n } };
}

/** A history that is broken in one place has exactly these violations. */
export function finds(
  title: string,
  violations: RegExp | readonly RegExp[],
  breakIt: (sample: Sample) => void,
  options?: CheckOptions,
): void {
  test(`finds ${title}`, () => {
    const sample = new Sample();
    breakIt(sample);
    const expected = [violations].flat().map((violation) => expect.stringMatching(violation));
    expect(sample.check(options)).toEqual(expected);
  });
}

export function allows(title: string, change: (sample: Sample) => void, options?: CheckOptions): void {
  test(`allows ${title}`, () => {
    const sample = new Sample();
    change(sample);
    expect(sample.check(options)).toEqual([]);
  });
}
