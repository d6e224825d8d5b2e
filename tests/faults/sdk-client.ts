/** The client of the SDK, observed: what it sends is in the history as it goes over the wire, what it shows as it shows it. */
import { LlmgineClient, type RawFrame, type RunHandle, type Session } from '@llmgine/client';
import { type JsonObject, parseCursor, type SessionEvent } from '@llmgine/protocol';
import { onTestFinished } from 'vitest';
import type { Acknowledgement, History, OpenOperation, OperationKind, Seen } from './history.ts';
import type { Random } from './random.ts';

export interface SdkClientOptions {
  readonly name: string;
  readonly session: string;
  readonly url: string;
  readonly history: History;
  readonly random: Random;
}

/** Waits that let a test be short; silence is taken for the end of a connection soon. */
const TIMES = {
  firstDelayMs: 2,
  maxDelayMs: 50,
  stableMs: 1_000,
  heartbeatMs: 150,
  heartbeatTimeoutMs: 400,
  openTimeoutMs: 1_000,
};
const KINDS: Readonly<Record<string, { readonly kind: OperationKind; readonly id: string }>> = {
  command: { kind: 'command', id: 'run_id' },
  event: { kind: 'event', id: 'event_id' },
  server_response: { kind: 'answer', id: 'request_id' },
  claim_request: { kind: 'claim', id: 'request_id' },
  cancel: { kind: 'cancel', id: 'run_id' },
};
/** The first of several answers counts: these say that it was another one. */
const OTHERS_WERE_FIRST: ReadonlySet<unknown> = new Set(['REQUEST_ALREADY_ANSWERED', 'REQUEST_EXPIRED']);

interface Sent {
  readonly kind: OperationKind;
  readonly operation: OpenOperation;
  times: number;
}

interface WireFrame {
  readonly type: string;
  readonly message_id?: string;
  readonly data: JsonObject;
}

export class SdkClient {
  readonly name: string;
  readonly session: Session;
  readonly #options: SdkClientOptions;
  readonly #sent = new Map<string, Sent>();
  #connections = 0;
  #seq = 0;

  constructor(options: SdkClientOptions) {
    const { name, session: id, url, history, random } = options;
    this.name = name;
    this.#options = options;
    const client = new LlmgineClient({ url, times: TIMES, bounds: { events: 5 } });
    this.session = client.session(id, {
      tools: {
        count_client: (input, { toolCallId, runId }) => {
          const call = { tool: 'count_client', tool_call_id: toolCallId ?? '', run_id: runId ?? '' };
          history.executed({ ...call, idempotent: false, approval: input.ask === true });
          return { counted: 'count_client', by: name };
        },
      },
    });
    onTestFinished(() => client.close());
    this.session.onFrame((frame) => this.#frame(frame));
    this.session.on('*', (event) => this.#event(event));
    this.session.on('resync', ({ cursor }) => this.#saw({ kind: 'resynced', cursor }));
    this.session.on('input_requested', ({ payload }) => {
      if (payload.kind !== 'approval') return;
      const outcome = random.chance(0.7) ? 'approved' : 'denied';
      // What is refused is in the history: somebody was first, or the run has ended.
      this.session.answer(payload.request_id, { outcome }).catch(() => {});
    });
  }

  /** Of the last event that was shown. */
  get seq(): number {
    return this.#seq;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Resolves with the events of the run as a loop sees them that takes its time. */
  async read(run: RunHandle, random: Random): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for await (const event of run) {
      events.push(event);
      if (random.chance(0.1)) await new Promise((resolve) => setTimeout(resolve, random.int(0, 20)));
    }
    this.#saw({ kind: 'result', result: await run.result });
    return events;
  }

  #event(event: SessionEvent): void {
    this.#seq = event.seq;
    this.#saw({ kind: 'event', event });
  }

  #frame({ direction, text }: RawFrame): void {
    const frame = JSON.parse(text ?? '{}') as WireFrame;
    if (direction === 'out') this.#sends(frame);
    else this.#gets(frame);
  }

  #sends({ type, message_id: id = '', data }: WireFrame): void {
    if (type === 'hello') this.#connections++;
    const known = KINDS[type];
    if (!known) return;
    const before = this.#sent.get(id);
    if (before) {
      before.times++;
      return;
    }
    const { [known.id]: own, ...body } = data;
    const { name: client, session, history } = this.#options;
    const operation = history.invoke({ kind: known.kind, client, session, id: String(own), body });
    this.#sent.set(id, { kind: known.kind, operation, times: 1 });
  }

  #gets({ type, message_id: id = '', data }: WireFrame): void {
    if (id === 'subscribe' && data.resync_required === false) {
      this.#seq = Math.max(this.#seq, parseCursor(String(data.cursor))?.seq ?? 0);
      this.#saw({ kind: 'subscribed', cursor: String(data.cursor) });
    } else if (type === 'history_response') {
      const requests = (data.pending_requests as { request_id: string }[]).map((each) => each.request_id);
      this.#saw({ kind: 'pending', cursor: String(data.cursor), requests });
    }
    const sent = this.#sent.get(id);
    if (!sent || type === 'command_result') return;
    if (type !== 'error') sent.operation.ok(data as Acknowledgement);
    else if (sent.times === 1 || (sent.kind === 'answer' && OTHERS_WERE_FIRST.has(data.code))) {
      sent.operation.failed(String(data.code));
    } else sent.operation.unknown();
  }

  #saw(what: Seen): void {
    const { session, name: client, history } = this.#options;
    history.saw({ session, client, connection: this.#connections, ...what });
  }
}
