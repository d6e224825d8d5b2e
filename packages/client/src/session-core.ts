/** What a session is made of behind its methods: the connection, its place in the log, what waits for answers, who listens. */
import {
  type ClientFrameData,
  type CommandResult,
  PROTOCOL_VERSION,
  type ServerFrameData,
  type SessionEvent,
  SUBPROTOCOL,
  TICKET_SUBPROTOCOL_PREFIX,
} from '@llmgine/protocol/wire';
import { Connection, type ConnectionTimes } from './connection/connection.ts';
import { Renewal } from './connection/renewal.ts';
import type { CloseReason, WebSocketConstructor } from './connection/types.ts';
import type { Credentials } from './credentials.ts';
import { errorOfFrame, LlmgineError } from './errors.ts';
import { FrameTap } from './frame-tap.ts';
import { Listeners } from './listeners.ts';
import { type InFrame, Pending, type PendingOptions } from './pending.ts';
import type { ReportError } from './report.ts';
import { persist } from './rest/persist.ts';
import type { Runs } from './rest/runs.ts';
import { sessionPath } from './rest/sessions.ts';
import type { Transport } from './rest/transport.ts';
import { type FeedBounds, RunFeed } from './run-feed.ts';
import { Sequence } from './sequence.ts';

export interface SessionServices {
  readonly transport: Transport;
  readonly runs: Runs;
  readonly credentials: Credentials;
  readonly WebSocket: WebSocketConstructor;
  readonly times: ConnectionTimes;
  readonly bounds: FeedBounds;
  readonly report: ReportError;
}

/** Told what happens to the session. */
export interface CoreHooks {
  /** Subscribed: for the first time, or again. */
  readonly connected: () => void;
  readonly event: (event: SessionEvent) => void;
  readonly closed: (error: LlmgineError) => void;
}

const PROBE_TIMEOUT_MS = 5_000;

export class SessionCore {
  readonly id: string;
  readonly pending = new Pending();
  readonly listeners: Listeners;
  readonly frames: FrameTap;
  readonly runs = new Map<string, RunFeed>();
  readonly #services: SessionServices;
  readonly #hooks: CoreHooks;
  readonly #connection: Connection;
  readonly #renewal: Renewal;
  readonly #sequence = new Sequence();
  readonly #stateListeners = new Set<() => void>();
  /** Runs whose end may have passed unseen. */
  readonly #unsettled = new Set<RunFeed>();
  /** The server did not understand where it was, so it begins anew. */
  #placeRefused = false;
  #welcome: ServerFrameData<'welcome'> | null = null;
  /** Of the connection that is; what was asked on an earlier one is not answered on it. */
  #generation = 0;
  /** Aborts when the connection is lost. */
  #lostSignal = new AbortController();

  constructor(id: string, after: string | null, services: SessionServices, hooks: CoreHooks) {
    this.id = id;
    if (after !== null) this.#sequence.reset(after);
    this.#services = services;
    this.#hooks = hooks;
    this.listeners = new Listeners(services.report);
    this.frames = new FrameTap(services.report);
    this.#renewal = new Renewal(services.credentials, (token) =>
      this.request<ServerFrameData<'authenticated'>>('authenticate', { token }, { repeatable: false }),
    );
    const { WebSocket, times } = services;
    this.#connection = new Connection({
      WebSocket,
      times,
      address: () => this.#address(),
      probe: () => this.#probe(),
      refreshCredential: () => {
        services.credentials.invalidate(services.credentials.value);
        return services.credentials.canRefresh;
      },
      onOpen: () => this.#opened(),
      onText: (text) => this.#receive(text),
      onLost: () => this.#lost(),
      onState: () => this.#stateChanged(),
    });
  }

  get connection(): Pick<Connection, 'state' | 'closeReason' | 'error' | 'bufferedAmount'> {
    return this.#connection;
  }

  get generation(): number {
    return this.#generation;
  }

  get welcome(): ServerFrameData<'welcome'> | null {
    return this.#welcome;
  }

  get cursor(): string | null {
    return this.#sequence.cursor;
  }

  connect(): void {
    if (this.#connection.state === 'closed') this.pending.reopen();
    this.#connection.connect();
  }

  close(reason: CloseReason): void {
    this.#connection.close(reason);
  }

  onState(listener: () => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Sends a frame and resolves with the `data` of its reply, or what `settle` makes of its replies. */
  request<T>(
    type: string,
    data: object,
    options: Omit<PendingOptions<T>, 'settle'> & Partial<Pick<PendingOptions<T>, 'settle'>>,
  ): Promise<T> {
    // Who has closed a session, or was thrown out, says when it is to be used again.
    if (this.#connection.state === 'idle') this.connect();
    return this.pending.request<T>(type, data, { settle: (reply) => reply.data as T, ...options });
  }

  /** Bytes of a recording; false when the connection of that generation is gone. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>, generation: number): boolean {
    if (generation !== this.#generation || !this.#connection.send(bytes)) return false;
    this.frames.sentBytes(bytes.length);
    return true;
  }

  /** A file that nobody has asked for. */
  async forgetFile(fileId: string): Promise<void> {
    await this.#services.transport.json(
      'DELETE',
      `${sessionPath(this.id)}/files/${encodeURIComponent(fileId)}`,
    );
  }

  /** The feed of a run, made when there is none. */
  follow(runId: string): RunFeed {
    const known = this.runs.get(runId);
    if (known) return known;
    const feed = new RunFeed(runId, this.#sequence.seq, this.#services.bounds);
    this.runs.set(runId, feed);
    const forget = () => {
      this.runs.delete(runId);
      this.#unsettled.delete(feed);
    };
    // It may end before it is known how it was accepted.
    void Promise.allSettled([feed.accepted, feed.result]).then(forget);
    return feed;
  }

  /** Asks the server how the run stands, as soon as what happens afterwards is seen. */
  settle(feed: RunFeed): void {
    this.#unsettled.add(feed);
    if (this.#connection.state === 'open') void this.#look(feed);
    else if (this.#connection.state === 'idle') this.connect();
    else if (this.#connection.state === 'closed') feed.fail(this.#closedError());
  }

  #closedError(): LlmgineError {
    const error = this.#connection.closeReason?.error;
    return error ?? new LlmgineError('CONNECTION_CLOSED', 'The session was closed');
  }

  async #address(): Promise<{ url: string; protocols: string[] }> {
    const { transport, credentials } = this.#services;
    const url = `${transport.url.replace(/^http/, 'ws')}${sessionPath(this.id)}/ws`;
    if (!credentials.needsTicket) return { url, protocols: [SUBPROTOCOL] };
    const path = `${sessionPath(this.id)}/tickets`;
    const { ticket } = await transport.json<{ ticket: string }>('POST', path);
    return { url, protocols: [SUBPROTOCOL, `${TICKET_SUBPROTOCOL_PREFIX}${ticket}`] };
  }

  async #probe(): Promise<void> {
    const options = { timeoutMs: PROBE_TIMEOUT_MS, repeat: false };
    await this.#services.transport.json('GET', sessionPath(this.id), options);
  }

  #opened(): void {
    this.#generation++;
    const hello: ClientFrameData<'hello'> = { protocol_version: PROTOCOL_VERSION };
    this.#send(JSON.stringify({ type: 'hello', message_id: 'hello', data: hello }), 'hello');
    this.#subscribe();
  }

  #subscribe(): void {
    const { cursor } = this.#sequence;
    const data: ClientFrameData<'subscribe'> = cursor === null ? {} : { after: cursor };
    this.#send(JSON.stringify({ type: 'subscribe', message_id: 'subscribe', data }), 'subscribe');
  }

  #send(text: string, type: string): void {
    if (this.#connection.send(text)) this.frames.sent(text, type);
  }

  #lost(): void {
    this.#renewal.stop();
    this.#lostSignal.abort();
    this.#lostSignal = new AbortController();
    this.pending.disconnected();
  }

  #receive(text: string): void {
    let frame: InFrame;
    try {
      frame = JSON.parse(text) as InFrame;
      if (typeof frame !== 'object' || frame === null) throw new TypeError('A frame is an object');
    } catch (cause) {
      this.#connection.drop(new LlmgineError('INVALID_RESPONSE', 'The server sent no frame', { cause }));
      return;
    }
    this.frames.received(text);
    if (frame.type === 'event') this.#event(frame.data as SessionEvent, text.length);
    else if (frame.message_id === 'hello') this.#welcomed(frame);
    else if (frame.message_id === 'subscribe') this.#subscribed(frame);
    else this.#other(frame);
  }

  #other(frame: InFrame): void {
    if (frame.type === 'command_result') {
      const result = frame.data as CommandResult;
      this.runs.get(result.run_id)?.finish(result);
    } else if (this.pending.receive(frame)) {
      return;
    } else if (frame.type === 'going_away') {
      this.#connection.goingAway((frame.data as ServerFrameData<'going_away'>).reconnect_after_ms);
    } else if (frame.type === 'notification') {
      this.listeners.tell('notification', frame.data as ServerFrameData<'notification'>);
    } else if (frame.type === 'error') {
      this.listeners.tell('error', errorOfFrame(frame.data));
    }
  }

  #welcomed({ type, data }: InFrame): void {
    if (type !== 'welcome') return;
    this.#welcome = data as ServerFrameData<'welcome'>;
    this.pending.limit(this.#welcome.limits.max_message_size);
  }

  #subscribed({ type, data }: InFrame): void {
    if (type === 'error') {
      this.#notSubscribed(errorOfFrame(data));
      return;
    }
    const { cursor, resync_required: resync } = data as ServerFrameData<'subscribed'>;
    if (resync || this.#sequence.cursor === null) this.#skipTo(cursor);
    const isLost = resync || this.#placeRefused;
    this.#placeRefused = false;
    this.#connection.ready();
    // Whoever was told may have closed it.
    if (this.#connection.state !== 'open') return;
    if (isLost) this.listeners.tell('resync', { cursor });
    for (const feed of this.#unsettled) void this.#look(feed);
    this.#renewal.start();
    this.pending.connected((text, type) => this.#send(text, type));
    this.#hooks.connected();
  }

  #notSubscribed(error: LlmgineError): void {
    if (error.code === 'INVALID_CURSOR') {
      this.#sequence.forget();
      this.#placeRefused = true;
      this.#subscribe();
    } else if (error.retryable) {
      this.#connection.drop(error);
    } else {
      this.close({ code: null, reason: error.message, error });
    }
  }

  /** What came before is not seen any more, so how the runs stand is asked. */
  #skipTo(cursor: string): void {
    this.#sequence.reset(cursor);
    for (const feed of this.runs.values()) {
      feed.missed(this.#sequence.seq);
      if (feed.isAccepted) this.#unsettled.add(feed);
    }
  }

  #event(event: SessionEvent, size: number): void {
    const arrival = this.#sequence.arrived(event);
    if (arrival === 'seen') return;
    if (event.run_id !== undefined) this.runs.get(event.run_id)?.add(event, size);
    this.#hooks.event(event);
    this.listeners.event(event);
    if (arrival === 'gap') this.listeners.tell('resync', { cursor: event.cursor });
  }

  async #look(feed: RunFeed): Promise<void> {
    // What is asked on one connection says nothing of what the next one has missed.
    const generation = this.#generation;
    const over = AbortSignal.any([feed.givenUp, this.#lostSignal.signal]);
    try {
      feed.learn(await persist(() => this.#services.runs.get(this.id, feed.runId), over));
      if (generation === this.#generation) this.#unsettled.delete(feed);
    } catch (error) {
      if (!over.aborted) feed.fail(error);
    }
  }

  #stateChanged(): void {
    if (this.#connection.state === 'closed') {
      const error = this.#closedError();
      this.#renewal.stop();
      this.pending.close(error);
      for (const feed of [...this.runs.values()]) feed.fail(error);
      this.#hooks.closed(error);
    }
    for (const listener of [...this.#stateListeners]) listener();
  }
}
