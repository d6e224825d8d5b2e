/** The way from an engine to the session log: events of one run, fenced, with the rows that follow from them. */
import {
  appendText,
  type ErrorObject,
  type EventPayload,
  type Json,
  type Message,
  type MessagePart,
  type RunOutcome,
  type Usage,
} from '@llmgine/protocol';
import type { EngineEvent } from '../engines/types.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import { PendingAppend } from '../sessions/pending.ts';
import type {
  Append,
  AppendOutcome,
  Budgets,
  Demand,
  Exceeded,
  Grant,
  NewEvent,
  NewRequest,
  RunRow,
  Write,
} from '../storage/types.ts';
import { addUsage } from '../storage/usage.ts';
import { CallMeter } from './call-meter.ts';
import { assertEngineEvent } from './engine-event.ts';

/** Characters that may wait for their commit before `emit` asks the engine to hold on. */
const HIGH_WATER = 262_144;

interface Emitted {
  readonly event_type: string;
  readonly payload: unknown;
}

interface OpenMessage {
  readonly messageId: string;
  readonly role: Message['role'];
  readonly createdAt: string;
  readonly parts: MessagePart[];
  /** The first piece is shown at once; the others may wait for company. */
  spoken: boolean;
}

export interface RunEnd {
  readonly status: RunOutcome;
  readonly result: Json;
  readonly error: ErrorObject | null;
}

/** What a run leaves behind when it is not executed for a while. */
export type Pause = 'park_run' | 'release_run';

export interface RunWriterOptions {
  readonly run: RunRow;
  /** Of this execution: the fence of everything that it writes. */
  readonly attempt: number;
  /** Milliseconds that the run has executed until now. */
  readonly elapsedMs: () => number;
  readonly log: SessionLog;
  /** Checks the payload of a custom event; throws when its schema does not take it. */
  readonly checkEvent: (eventType: string, payload: unknown) => void;
  /** The log refused or the storage failed: the run cannot go on. */
  readonly onBroken: (reason: AppendOutcome | Error) => void;
  /** A model says far more than its budget allows: `allowed` tokens. */
  readonly onOverrun?: (allowed: number) => void;
}

/** The codes of runs that were stopped while they were at it. */
const CUT_OFF: ReadonlySet<string> = new Set(['RUN_TIMEOUT', 'RUN_INTERRUPTED', 'BUDGET_EXCEEDED']);

export class RunWriter {
  readonly #run: RunRow;
  readonly #fence: { readonly runId: string; readonly attempt: number };
  readonly #elapsedMs: () => number;
  readonly #log: SessionLog;
  readonly #checkEvent: RunWriterOptions['checkEvent'];
  readonly #onBroken: RunWriterOptions['onBroken'];
  #pending: PendingAppend | null = null;
  #waiting = 0;
  #drains: (() => void)[] = [];
  #open: OpenMessage | null = null;
  #usage: Usage | null;
  #steps: number;
  #final: Usage | null | undefined;
  readonly #meter: CallMeter;
  #closed = false;

  constructor(options: RunWriterOptions) {
    this.#run = options.run;
    this.#fence = { runId: options.run.runId, attempt: options.attempt };
    this.#elapsedMs = options.elapsedMs;
    this.#usage = options.run.usage;
    this.#steps = options.run.steps;
    this.#meter = new CallMeter(options.onOverrun ?? (() => {}));
    this.#log = options.log;
    this.#checkEvent = options.checkEvent;
    this.#onBroken = options.onBroken;
  }

  /** Of the steps that have finished, and of what was cut off at the end. */
  get usage(): Usage | null {
    return this.#final === undefined ? this.#usage : this.#final;
  }

  /**
   * One message is open at a time: when another begins, the one that was not completed is withdrawn. Throws a `TypeError`
   * for what an engine cannot emit.
   */
  emit(event: EngineEvent): boolean {
    if (this.#closed) return true;
    assertEngineEvent(event);
    switch (event.event_type) {
      case 'text_delta':
      case 'reasoning_delta':
        this.#delta(event.event_type, event.payload as { message_id: string; text: string });
        break;
      case 'message_started': {
        const { message_id, role } = event.payload as { message_id: string; role: Message['role'] };
        // Nobody else would: the log remembers one open message, and only that one is ended with the run.
        if (this.#open) this.#discard(this.#open.messageId);
        this.#add(event, [{ kind: 'open_message', runId: this.#run.runId, eventIndex: 0 }]);
        this.#open = {
          messageId: message_id,
          role,
          createdAt: new Date().toISOString(),
          parts: [],
          spoken: false,
        };
        break;
      }
      case 'message_completed': {
        const message = { ...(event.payload as Message), run_id: this.#run.runId };
        const completed = { event_type: 'message_completed', payload: message };
        const streamed = this.#open?.messageId === message.message_id && this.#open.spoken;
        this.#endMessage(message.message_id, completed, [
          { kind: 'insert_message', eventIndex: 0, streamed },
        ]);
        break;
      }
      case 'message_discarded':
        this.#discard((event.payload as { message_id: string }).message_id);
        break;
      case 'step_finished':
        this.#usage = addUsage(
          this.#usage,
          this.#meter.finish((event.payload as { usage: Usage | null }).usage),
        );
        this.#steps++;
        this.#add(event, [
          {
            kind: 'checkpoint',
            runId: this.#run.runId,
            usage: this.#usage,
            steps: this.#steps,
            elapsedMs: this.#elapsedMs(),
          },
        ]);
        break;
      default:
        if (event.event_type.startsWith('custom:')) this.#checkEvent(event.event_type, event.payload);
        this.#add(event);
    }
    return this.#waiting < HIGH_WATER;
  }

  /** Asks somebody something; in its place among what was emitted. */
  ask(payload: EventPayload<'input_requested'>, request: NewRequest): void {
    if (this.#closed) return;
    this.#add({ event_type: 'input_requested', payload }, [
      { kind: 'create_request', request, eventIndex: 0 },
    ]);
  }

  /**
   * Sets aside what a call may use, or more time. Rejects when the run cannot go on. What is emitted before is committed
   * when it resolves.
   */
  async reserve(budgets: Budgets, call: Demand | null): Promise<Grant | { readonly exceeded: Exceeded }> {
    const outcome = await this.#log.append({
      session: this.#run,
      fence: this.#fence,
      events: [],
      writes: [
        {
          kind: 'reserve_budget',
          runId: this.#run.runId,
          budgets,
          call,
          elapsedMs: this.#elapsedMs(),
          at: Date.now(),
        },
      ],
    });
    if (!outcome.ok && outcome.exceeded) return { exceeded: outcome.exceeded };
    if (!outcome.ok) {
      this.#onBroken(outcome);
      throw new Error(`The log refused the run: ${outcome.reason}`);
    }
    const grant = outcome.granted ?? {};
    if (call) this.#meter.begin({ ...call, maxOutputTokens: grant.maxOutputTokens });
    return grant;
  }

  /** Takes nothing more: the engine is done. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when everything emitted is committed or has failed. */
  drain(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    this.#log.schedule(true);
    return new Promise((resolve) => this.#drains.push(resolve));
  }

  /**
   * The run is not executed any more, until somebody continues it: what was half said is withdrawn. Nothing can be emitted
   * after it, unless it was refused. Rejects when the storage fails; then it may be called again.
   */
  async pause(kind: Pause): Promise<AppendOutcome> {
    const open = this.#open;
    const outcome = await this.#log.append({
      session: this.#run,
      fence: this.#fence,
      events: open ? [this.#event('message_discarded', { message_id: open.messageId }, Date.now())] : [],
      writes: [{ kind, runId: this.#run.runId, ...this.#used(true) }],
    });
    if (outcome.ok) this.close();
    return outcome;
  }

  /**
   * Ends the run, after `before`: what was half said is kept when somebody stopped it, and withdrawn when it failed. Nothing can be
   * emitted after it. Rejects when the storage fails; then it may be called again.
   */
  finish(end: RunEnd, before: Pick<Append, 'events' | 'writes'> = { events: [] }): Promise<AppendOutcome> {
    this.close();
    const open = this.#open;
    const now = Date.now();
    const events: NewEvent[] = [...before.events];
    const writes: Write[] = [...(before.writes ?? [])];
    if (open && end.status === 'cancelled' && open.parts.length > 0) {
      const message: Message = {
        message_id: open.messageId,
        role: open.role,
        run_id: this.#run.runId,
        parts: open.parts,
        created_at: open.createdAt,
        metadata: { incomplete: true },
      };
      writes.push({ kind: 'insert_message', eventIndex: events.length, streamed: open.spoken });
      events.push(this.#event('message_completed', message, now));
    } else if (open) {
      events.push(this.#event('message_discarded', { message_id: open.messageId }, now));
    }
    const { status, result, error } = end;
    const used = this.#used(status === 'cancelled' || this.#meter.hasSaid || CUT_OFF.has(error?.code ?? ''));
    const { usage } = used;
    this.#final = usage;
    events.push(this.#event('run_finished', { status, result, usage, error }, now));
    writes.push({ kind: 'finish_run', runId: this.#run.runId, from: ['running'], ...end, ...used, at: now });
    return this.#log.append({
      session: this.#run,
      fence: this.#fence,
      touchedAt: now,
      events,
      writes,
    });
  }

  /** Everything so far. A call that was cut off counts, unless its provider has refused it. */
  #used(isCutOff: boolean): { usage: Usage | null; steps: number; elapsedMs: number } {
    const cut = isCutOff ? this.#meter.estimate : null;
    return {
      usage: addUsage(this.#usage, cut),
      steps: this.#steps + (cut ? 1 : 0),
      elapsedMs: this.#elapsedMs(),
    };
  }

  #delta(type: 'text_delta' | 'reasoning_delta', payload: { message_id: string; text: string }): void {
    const { message_id: messageId, text } = payload;
    const open = this.#open;
    // What it belongs to is what is kept of it when the pieces are dropped.
    if (open?.messageId !== messageId) {
      throw new TypeError(
        `A ${type} belongs to the open message, and ${JSON.stringify(messageId)} is not open`,
      );
    }
    appendText(open.parts, type === 'text_delta' ? 'text' : 'reasoning', text);
    const urgent = !open.spoken;
    open.spoken = true;
    const pending = this.#joinable(urgent);
    const before = pending.size;
    this.#meter.say(text.length);
    pending.addDelta(type, this.#run.runId, messageId, text, Date.now());
    this.#waiting += pending.size - before;
  }

  #discard(messageId: string): void {
    this.#endMessage(messageId, { event_type: 'message_discarded', payload: { message_id: messageId } }, []);
  }

  #endMessage(messageId: string, event: Emitted, writes: readonly Write[]): void {
    if (this.#open?.messageId !== messageId) {
      this.#add(event, writes);
      return;
    }
    this.#add(event, [...writes, { kind: 'open_message', runId: this.#run.runId, eventIndex: null }]);
    // Only now: an event that cannot be written has ended nothing.
    this.#open = null;
  }

  #add(event: Emitted, writes?: readonly Write[]): void {
    // Before anything joins the commit: what cannot be written as JSON fails here.
    const written = this.#event(event.event_type, event.payload, Date.now());
    const pending = this.#joinable(true);
    const before = pending.size;
    pending.add([written], writes);
    this.#waiting += pending.size - before;
  }

  #event(eventType: string, payload: unknown, createdAt: number): NewEvent {
    return newEvent(eventType, this.#run.runId, payload, createdAt);
  }

  /** The append that still waits for its commit, or a new one. */
  #joinable(urgent: boolean): PendingAppend {
    if (this.#pending?.open) {
      if (urgent) this.#log.schedule(true);
      return this.#pending;
    }
    const pending = new PendingAppend(this.#run, { fence: this.#fence });
    pending.onSettled((outcome) => this.#settled(pending, outcome));
    this.#pending = pending;
    this.#log.enqueue(pending, urgent);
    return pending;
  }

  #settled(pending: PendingAppend, outcome: AppendOutcome | Error): void {
    this.#waiting -= pending.size;
    if (this.#pending === pending) this.#pending = null;
    if (outcome instanceof Error || !outcome.ok) this.#onBroken(outcome);
    if (this.#waiting > 0) return;
    const drains = this.#drains;
    this.#drains = [];
    for (const resolve of drains) resolve();
  }
}
