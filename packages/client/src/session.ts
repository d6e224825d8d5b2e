import type {
  Answer,
  AnswerOutcome,
  ClientFrameInput,
  CommandAccepted,
  CustomEventType,
  EventType,
  History,
  JsonObject,
  LinkedEngine,
  OnConflict,
  ServerFrameData,
  SessionEvent,
} from '@llmgine/protocol/wire';
import type { AudioSource } from './audio.ts';
import { type AudioOptions, type AudioSent, AudioUpload } from './audio-upload.ts';
import type { CloseReason, SessionState } from './connection/types.ts';
import { LlmgineError } from './errors.ts';
import type { RawFrame } from './frame-tap.ts';
import { uuid } from './ids.ts';
import type { Signals } from './listeners.ts';
import { tellAll } from './report.ts';
import type { Sessions } from './rest/sessions.ts';
import type { EventPage } from './rest/types.ts';
import { RunHandle } from './run.ts';
import { SessionCore, type SessionServices } from './session-core.ts';
import { type ClientTools, ToolRunner } from './tools.ts';
import type { AnyMessages, EventOf, MessageMap } from './typed.ts';

export interface SessionOptions {
  /** Tools that run here, by name: the engine's tools of kind `client`. */
  readonly tools?: ClientTools;
  /** Begins after this cursor. Default: now, which is when it connects first. */
  readonly after?: string;
}

/** Of calls that wait for an answer. */
export interface WaitOptions {
  /** Ends the waiting, not what was asked for. */
  readonly signal?: AbortSignal;
}

export interface CommandOptions {
  /** A UUID that makes it happen once. Default: a random one. */
  readonly runId?: string;
  /** What to do while another run is unfinished; default `queue`. */
  readonly onConflict?: OnConflict;
  /** Cancels the run. */
  readonly signal?: AbortSignal;
}

export interface PromptOptions extends CommandOptions {
  readonly attachments?: readonly Attachment[];
}

/** A file that goes with a prompt: its base64 `data`, or a `url`. */
export interface Attachment {
  readonly mime_type: string;
  readonly name?: string;
  readonly data?: string;
  readonly url?: string;
}

export interface SendOptions extends WaitOptions {
  /** Milliseconds for the answer; default 60 000. */
  readonly timeoutMs?: number;
  /** Whether the message may be sent again when the connection is lost before its answer. Default false. */
  readonly repeatable?: boolean;
}

const MESSAGE_TIMEOUT_MS = 60_000;

/**
 * One session, over one WebSocket that is opened again when it is lost: nothing that happens is missed, and nothing is
 * seen twice. Methods that need the connection open it, and wait for it; they reject with `LlmgineError`.
 */
export class Session<M extends MessageMap = AnyMessages> {
  readonly #core: SessionCore;
  readonly #sessions: Sessions;
  readonly #services: SessionServices;
  readonly #tools: ToolRunner;
  readonly #handles = new Map<string, RunHandle>();
  readonly #upload: AudioUpload;
  /** A recording at a time. */
  #recording: Promise<unknown> = Promise.resolve();

  /** Made by a client. */
  constructor(id: string, services: SessionServices, sessions: Sessions, options: SessionOptions = {}) {
    this.#services = services;
    this.#sessions = sessions;
    this.#core = new SessionCore(id, options.after ?? null, services, {
      connected: () => void this.#tools.connected(),
      event: (event) => this.#toolEvent(event),
      closed: (error) => this.#tools.close(error),
    });
    this.#upload = new AudioUpload(this.#core, {
      connected: (signal) => this.connect(signal ? { signal } : {}),
      handle: (runId, signal) => this.#handle(runId, signal),
    });
    this.#tools = new ToolRunner(options.tools ?? {}, {
      claim: (request_id) => this.#core.request('claim_request', { request_id }, { repeatable: false }),
      answer: (requestId, answer) => this.answer(requestId, answer),
      pending: async () => (await this.history({ limit: 1 })).pending_requests,
      report: services.report,
    });
  }

  get id(): string {
    return this.#core.id;
  }

  get state(): SessionState {
    return this.#core.connection.state;
  }

  /** Why it is closed; null while it is not. */
  get closeReason(): CloseReason | null {
    return this.#core.connection.closeReason;
  }

  /** What went wrong last, while it is not open. */
  get error(): LlmgineError | null {
    return this.#core.connection.error;
  }

  /** What the server said about itself and its limits; null until the first connection. */
  get welcome(): ServerFrameData<'welcome'> | null {
    return this.#core.welcome;
  }

  /** Of the last event that was seen; null until the first connection. */
  get cursor(): string | null {
    return this.#core.cursor;
  }

  /** Calls the listener after each change of `state`. Returns what ends it. */
  onState(listener: (state: SessionState) => void): () => void {
    return this.#core.onState(() => tellAll([listener], this.#services.report, this.state));
  }

  /**
   * Resolves when it is open, however long that takes. Rejects with the reason when it is closed for good. One that is
   * closed is connected anew, and goes on from where it was.
   */
  connect(options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const look = () => {
        if (this.state === 'open') resolve();
        else if (this.state === 'closed') reject(this.closeReason?.error ?? closedHere());
        else return;
        over();
      };
      const aborted = () => {
        over();
        reject(signal?.reason);
      };
      const over = () => {
        off();
        signal?.removeEventListener('abort', aborted);
      };
      const off = this.#core.onState(look);
      signal?.addEventListener('abort', aborted, { once: true });
      this.#core.connect();
      look();
    });
  }

  /** Runs go on. What waits for an answer is rejected with `CONNECTION_CLOSED`. */
  close(): void {
    this.#core.close({ code: null, reason: 'closed by the application', error: null });
  }

  /** Links an engine; the history stays. */
  link(engineType: string, engineConfig: object = {}, options: WaitOptions = {}): Promise<LinkedEngine> {
    return this.#sessions.link(this.id, engineType, engineConfig, options);
  }

  unlink(options: WaitOptions = {}): Promise<{ engine_id: string }> {
    return this.#sessions.unlink(this.id, options);
  }

  status(options: WaitOptions = {}): Promise<ServerFrameData<'status_response'>> {
    return this.#core.request('status', {}, { repeatable: true, ...options });
  }

  prompt(text: string, options: PromptOptions = {}): RunHandle {
    const { attachments, ...rest } = options;
    return this.command('prompt', attachments ? { prompt: text, attachments } : { prompt: text }, rest);
  }

  /** Gives the engine a command. It is sent again until the server has it, and has its effect once. */
  command(name: string, parameters: object = {}, options: CommandOptions = {}): RunHandle {
    const { runId = uuid(), onConflict = 'queue' } = options;
    const known = this.#handles.get(runId);
    if (known) return known;
    const run = this.#handle(runId, options.signal);
    if (options.signal?.aborted) return run;
    const data = { command: name, parameters, run_id: runId, on_conflict: onConflict };
    const feed = this.#core.follow(runId);
    const settle = (reply: { readonly data: unknown }) => reply.data as CommandAccepted;
    this.#core.request('command', data, { repeatable: true, settle }).then(
      (accepted) => feed.accept(accepted),
      (error: unknown) => feed.fail(error),
    );
    return run;
  }

  /** The run of this id, whoever started it. */
  attach(runId: string): RunHandle {
    const known = this.#handles.get(runId);
    if (known) return known;
    const run = this.#handle(runId, undefined);
    this.#core.settle(this.#core.follow(runId));
    return run;
  }

  /** Ends a run as `cancelled`; without an id the one that has its turn. Resolves when that is durable. */
  cancel(runId?: string, options: WaitOptions = {}): Promise<{ run_id: string }> {
    const data: ClientFrameInput<'cancel'> = runId === undefined ? {} : { run_id: runId };
    // Without an id it would hit the next one when it is sent again.
    return this.#core.request('cancel', data, { repeatable: runId !== undefined, ...options });
  }

  /**
   * A page of messages, oldest first, with what belongs to it: unfinished runs, what is streamed right now, requests that
   * wait for people, and the cursor of that moment.
   */
  history(
    options: WaitOptions & { readonly limit?: number; readonly before?: string } = {},
  ): Promise<History> {
    const { signal, ...data } = options;
    return this.#core.request('history', data, { repeatable: true, signal });
  }

  /**
   * Calls the listener with each event of this type, or with all of them for `*`, in the order of the log and each once,
   * from the first connection on. `resync`, `notification` and `error` are what is no event of the log. Returns what
   * ends it.
   */
  on(type: '*', listener: (event: SessionEvent) => unknown): () => void;
  on<S extends keyof Signals>(signal: S, listener: (value: Signals[S]) => unknown): () => void;
  on<T extends EventType>(type: T, listener: (event: EventOf<T>) => unknown): () => void;
  on(type: string, listener: (value: never) => unknown): () => void {
    return this.#core.listeners.on(type, listener);
  }

  /** Calls the listener with every frame, in and out, as it is on the wire. Returns what ends it. */
  onFrame(listener: (frame: RawFrame) => void): () => void {
    return this.#core.frames.on(listener);
  }

  /** Answers what a run has asked. The first answer counts: later ones reject with `REQUEST_ALREADY_ANSWERED`. */
  answer(
    requestId: string,
    answer: Answer,
    options: WaitOptions = {},
  ): Promise<{ request_id: string; outcome: AnswerOutcome }> {
    const data = { request_id: requestId, ...answer };
    return this.#core.request('server_response', data, { repeatable: true, ...options });
  }

  /** Sends a message of the application's own and resolves with the `data` of its reply. */
  send<T extends keyof M & string>(
    type: T,
    data: M[T]['request'],
    options: SendOptions = {},
  ): Promise<M[T]['response']> {
    const { timeoutMs = MESSAGE_TIMEOUT_MS, repeatable = false, signal } = options;
    return this.#core.request(type, data, { repeatable, timeoutMs, signal });
  }

  /** Publishes an event of the application's own. It is there once, also when it is sent again with the same id. */
  publish(
    eventType: CustomEventType,
    payload: JsonObject = {},
    options: WaitOptions & { readonly eventId?: string } = {},
  ): Promise<{ cursor: string }> {
    const { eventId = uuid(), signal } = options;
    const data = { event_type: eventType, payload, event_id: eventId };
    return this.#core.request('event', data, { repeatable: true, signal });
  }

  /**
   * Sends a recording, one after the other, no faster than the network takes it. When the connection is lost meanwhile it
   * rejects with `CONNECTION_LOST`, and the server keeps nothing of it.
   */
  audio(recording: AudioSource, options: AudioOptions): Promise<AudioSent> {
    const sent = this.#recording.then(() => this.#upload.send(recording, options));
    this.#recording = sent.catch(() => {});
    return sent;
  }

  #handle(runId: string, signal: AbortSignal | undefined): RunHandle {
    const feed = this.#core.follow(runId);
    const run = new RunHandle(
      feed,
      (after) => this.#readLog(after),
      async () => {
        if (feed.finished) return;
        await feed.accepted;
        await this.cancel(runId).catch(unlessFinished);
      },
    );
    this.#handles.set(runId, run);
    if (signal?.aborted) feed.fail(signal.reason);
    const cancel = () => void run.cancel().catch(() => {});
    signal?.addEventListener('abort', cancel, { once: true });
    const over = () => {
      this.#handles.delete(runId);
      signal?.removeEventListener('abort', cancel);
    };
    feed.result.then(over, over);
    return run;
  }

  async #readLog(after: string): Promise<EventPage> {
    try {
      return await this.#sessions.events(this.id, { after, limit: 100 });
    } catch (error) {
      // Nobody tries on for a session that is closed.
      throw this.state === 'closed' ? closedHere(error) : error;
    }
  }

  #toolEvent({ event_type, payload, run_id }: SessionEvent): void {
    if (event_type === 'input_requested') this.#tools.requested({ ...payload, run_id });
    else if (event_type === 'input_resolved') this.#tools.resolved(payload.request_id);
  }
}

function closedHere(cause?: unknown): LlmgineError {
  return new LlmgineError('CONNECTION_CLOSED', 'The session was closed', { cause });
}

/** A run that has ended needs no cancelling. */
function unlessFinished(error: unknown): void {
  if (!(error instanceof LlmgineError) || error.code !== 'RUN_NOT_FOUND') throw error;
}
