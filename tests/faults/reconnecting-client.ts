/**
 * A client as it should be: it keeps its place, comes back when its connection is lost, sends again what nobody has
 * answered, under the same ids and in the same order, and takes the history when its place is gone. It records what it
 * does, and what it sees exactly as it comes: it repairs nothing.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as later } from 'node:timers/promises';
import {
  type Answer,
  type CommandResult,
  type EventPayload,
  type JsonObject,
  type OnConflict,
  parseCursor,
  type SessionEvent,
} from '@llmgine/protocol';
import { onTestFinished } from 'vitest';
import { ClientConnection } from './client-connection.ts';
import type { History, OperationKind, Seen } from './history.ts';
import { PendingSends, type Reply, type Settle } from './pending-sends.ts';
import { Random } from './random.ts';

export interface ReconnectingClientOptions {
  readonly name: string;
  readonly session: string;
  /** Asked for each connection. */
  readonly url: () => string;
  readonly history: History;
  readonly random?: Random;
  /**
   * Called for requests to people: for each that an event tells of, and on each connection for those that wait for an
   * answer. So it may be called for one request more than once. Default: it does not look.
   */
  readonly onRequest?: ((request: SeenRequest, client: ReconnectingClient) => void) | null;
  /** Milliseconds without a connection, or of being refused, after which it gives up. Default 30 000. */
  readonly patienceMs?: number;
  /** Milliseconds of silence after which a connection is taken for dead. Default 3 000. */
  readonly silenceMs?: number;
}

/** A request to people, as an event or the history has it. */
export type SeenRequest = EventPayload<'input_requested'> & { readonly run_id: string };

/** Milliseconds between two attempts at most. */
const MAX_BACKOFF = 50;
/** As many attempts as make the wait between them the longest. */
const BUSY = 10;
/** Says that nothing will be different next time. */
const SESSION_GONE = 4004;

export class ReconnectingClient {
  readonly #options: Required<ReconnectingClientOptions>;
  readonly #sends: PendingSends;
  readonly #ready = Promise.withResolvers<void>();
  /** Resolves when it has stopped or given up. */
  readonly #done: Promise<void>;
  #connection: ClientConnection | null = null;
  #connections = 0;
  #cursor: string | undefined;
  #stopped = false;

  private constructor(options: ReconnectingClientOptions) {
    this.#options = {
      random: new Random(0),
      onRequest: null,
      patienceMs: 30_000,
      silenceMs: 3_000,
      ...options,
    };
    const { patienceMs } = this.#options;
    this.#sends = new PendingSends((what) => void this.#backOff(BUSY).then(what), patienceMs);
    this.#ready.promise.catch(() => {});
    this.#done = this.#live();
  }

  /** Resolves when it is subscribed; stopped when the test ends. */
  static async start(options: ReconnectingClientOptions): Promise<ReconnectingClient> {
    const client = new ReconnectingClient(options);
    onTestFinished(() => client.stop());
    await client.#ready.promise;
    return client;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Of its place in the log; 0 before it has one. */
  get seq(): number {
    return parseCursor(this.#cursor ?? '')?.seq ?? 0;
  }

  /** How often it connected, or tried to. */
  get connections(): number {
    return this.#connections;
  }

  /** Resolves with the result of the command, however often it has to be sent. */
  command(
    command: string,
    parameters: JsonObject,
    options: { readonly run_id?: string; readonly on_conflict?: OnConflict } = {},
  ): Promise<CommandResult> {
    const { run_id = randomUUID(), ...rest } = options;
    const body = { command, parameters, ...rest };
    const frame = { type: 'command', data: { ...body, run_id } };
    return this.#send('command', run_id, body, frame, ({ type, data }, operation) => {
      if (type === 'command_accepted') {
        operation.ok({ cursor: data.cursor });
        return undefined;
      }
      const result = data as CommandResult;
      this.#saw({ kind: 'result', result });
      return result;
    });
  }

  prompt(prompt: string): Promise<CommandResult> {
    return this.command('prompt', { prompt });
  }

  /** Resolves with the cursor of the event. */
  publish(event_type: string, payload: JsonObject, event_id: string = randomUUID()): Promise<string> {
    const body = { event_type, payload };
    const frame = { type: 'event', data: { ...body, event_id } };
    return this.#send('event', event_id, body, frame, ({ data }, operation) => {
      operation.ok({ cursor: data.cursor });
      return data.cursor as string;
    });
  }

  async cancel(run_id: string): Promise<void> {
    const frame = { type: 'cancel', data: { run_id } };
    await this.#send('cancel', run_id, {}, frame, (_reply, operation) => {
      operation.ok();
      return true;
    });
  }

  async answer(request_id: string, answer: Answer): Promise<void> {
    const frame = { type: 'server_response', data: { request_id, ...answer } };
    await this.#send('answer', request_id, { ...answer } as JsonObject, frame, ({ data }, operation) => {
      operation.ok({ outcome: data.outcome });
      return true;
    });
  }

  /** Resolves when the request is its own to execute. Rejects with `Refused`. */
  async claim(request_id: string): Promise<void> {
    const frame = { type: 'claim_request', data: { request_id } };
    await this.#send('claim', request_id, {}, frame, ({ data }, operation) => {
      operation.ok({ expires_at: data.expires_at });
      return true;
    });
  }

  /** Its connection is lost, as if the network had failed. */
  drop(): void {
    this.#connection?.terminate();
  }

  /** It does not come back; what was not answered stays unknown. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#connection?.terminate();
    await this.#done;
  }

  #send<T>(kind: OperationKind, id: string, body: JsonObject, frame: object, settle: Settle<T>): Promise<T> {
    const { name: client, session, history } = this.#options;
    return this.#sends.add(frame, history.invoke({ kind, client, session, id, body }), settle);
  }

  async #live(): Promise<void> {
    const reason = await this.#connectAgainAndAgain();
    this.#stopped = true;
    const error = new Error(reason);
    this.#ready.reject(error);
    this.#sends.close(error);
  }

  /** Resolves with why it does not go on. */
  async #connectAgainAndAgain(): Promise<string> {
    const { name, patienceMs } = this.#options;
    let attempts = 0;
    let lost = performance.now();
    while (!this.#stopped) {
      const { ready, code } = await this.#connect();
      if (ready) {
        attempts = 0;
        lost = performance.now();
      }
      if (code === SESSION_GONE) return `the session of ${name} is gone`;
      if (performance.now() - lost > patienceMs) return `${name} has had no connection for ${patienceMs} ms`;
      await this.#backOff(attempts++);
    }
    return `${name} has stopped`;
  }

  /** One connection, from its beginning to its end. */
  async #connect(): Promise<{ readonly ready: boolean; readonly code: number }> {
    this.#connections++;
    let ready = false;
    const connection = new ClientConnection(this.#options.url(), this.#options.silenceMs);
    this.#connection = connection;
    const subscribe = () => {
      const data = this.#cursor === undefined ? {} : { after: this.#cursor };
      connection.send({ type: 'subscribe', message_id: 'subscribe', data });
    };
    const onReply = (reply: Reply) => {
      const { type, data, message_id: about } = reply;
      if (type === 'error' && (about === 'subscribe' || about === 'history' || about === 'pending')) {
        connection.terminate();
      } else if (about === 'subscribe' && data.resync_required) {
        connection.send({ type: 'history', message_id: 'history' });
      } else if (about === 'subscribe') {
        this.#moved('subscribed', data.cursor);
        ready = true;
        this.#ready.resolve();
        this.#sends.connected((frame) => connection.send(frame));
        if (this.#options.onRequest) {
          connection.send({ type: 'history', message_id: 'pending', data: { limit: 1 } });
        }
      } else if (about === 'pending') {
        this.#sawPending(data.cursor, data.pending_requests);
      } else if (about === 'history') {
        this.#moved('resynced', data.cursor);
        subscribe();
      } else {
        this.#sends.onReply(reply);
      }
    };
    const { code } = await connection.run({
      onOpen: subscribe,
      onFrame: (text) => {
        const reply = JSON.parse(text) as Reply;
        if (reply.type === 'event') this.#sawEvent(reply.data as SessionEvent);
        else onReply(reply);
      },
    });
    this.#sends.disconnected();
    return { ready, code };
  }

  #sawEvent(event: SessionEvent): void {
    this.#cursor = event.cursor;
    this.#saw({ kind: 'event', event });
    if (event.event_type !== 'input_requested') return;
    this.#options.onRequest?.({ ...event.payload, run_id: event.run_id ?? '' }, this);
  }

  #sawPending(cursor: string, pending: readonly SeenRequest[]): void {
    const requests = pending.map(({ request_id }) => request_id);
    this.#saw({ kind: 'pending', cursor, requests });
    for (const request of pending) this.#options.onRequest?.(request, this);
  }

  #moved(kind: 'subscribed' | 'resynced', cursor: string): void {
    this.#cursor = cursor;
    this.#saw({ kind, cursor });
  }

  #saw(what: Seen): void {
    const { session, name: client, history } = this.#options;
    history.saw({ session, client, connection: this.#connections, ...what });
  }

  async #backOff(attempts: number): Promise<void> {
    await later(this.#options.random.int(1, Math.min(MAX_BACKOFF, 4 * 2 ** attempts)));
  }
}
