import { StringDecoder } from 'node:string_decoder';
import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import { ChatAnswer, type WireChunk } from './chat-answer.ts';
import {
  compressedError,
  connectionError,
  droppedError,
  garbledError,
  httpError,
  isCompressed,
  limitError,
  ModelError,
  modelError,
  providerError,
  type Redact,
  retryAfterSeconds,
  stallError,
} from './model-error.ts';
import { SinkGate } from './sink-gate.ts';
import { type ModelTimeouts, StallTimer } from './stall-timer.ts';
import type { ModelFinish, ModelSink } from './types.ts';

/** Characters of one event, and of an answer that is not streamed. */
const MAX_EVENT = 8 * 1024 * 1024;
/** Characters that are read of an error's body. */
const MAX_ERROR_BODY = 16 * 1024;

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];
type Mode = 'events' | 'json' | 'error';

export interface ExchangeOptions {
  readonly provider: string;
  readonly sink: ModelSink;
  readonly signal: AbortSignal;
  readonly timeouts: ModelTimeouts;
  readonly redact: Redact;
  readonly resolve: (finish: ModelFinish) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One call of the wire, as undici's handler: bytes are decoded, parsed and put into the sink inside the data callback,
 * without a stream or a promise in between. Settles exactly once, and after that nothing reaches the sink.
 */
export class ChatExchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #gate: SinkGate;
  readonly #answer: ChatAnswer;
  readonly #stall: StallTimer;
  readonly #decoder = new StringDecoder('utf8');
  readonly #parser: EventSourceParser;
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #mode: Mode | undefined;
  #status = 0;
  #retryAfter: number | undefined;
  #body = '';
  /** The provider is done; only what waits in the gate is missing. */
  #complete = false;
  #settled = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#stall = new StallTimer(options.timeouts, (ms) => this.#onStall(ms));
    this.#gate = new SinkGate(options.sink, {
      pause: () => {
        this.#stall.pause();
        this.#controller?.pause();
      },
      resume: () => {
        this.#stall.resume();
        this.#controller?.resume();
      },
      fail: (error) => this.#fail(error),
    });
    this.#answer = new ChatAnswer(this.#gate, options.provider);
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent: (event) => this.#onEvent(event),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.#fail(limitError('one event', MAX_EVENT));
      },
    });
    options.signal.addEventListener('abort', this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) {
      controller.abort(new Error('given up before it began'));
      return;
    }
    this.#controller = controller;
    this.#sent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.#status = status;
    this.#retryAfter = retryAfterSeconds(headers);
    const type = String(headers['content-type'] ?? '');
    if (status >= 300) this.#mode = 'error';
    else if (isCompressed(headers)) this.#fail(compressedError());
    else if (type.includes('json')) this.#mode = 'json';
    else if (type.includes('html')) {
      this.#fail(modelError('The model provider answered with a web page; is the base URL right?'));
    } else this.#mode = 'events';
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled || this.#complete) return;
    this.#stall.progress();
    const text = this.#decoder.write(chunk);
    if (this.#mode === 'events') {
      this.#parser.feed(text);
      return;
    }
    this.#body += text;
    if (this.#mode === 'error' && this.#body.length > MAX_ERROR_BODY) this.#failWithStatus();
    else if (this.#body.length > MAX_EVENT) this.#fail(limitError('one answer', MAX_EVENT));
  }

  onResponseEnd(): void {
    clearTimeout(this.#linger);
    this.#controller = undefined;
    if (this.#settled || this.#complete) return;
    if (this.#mode === 'error') this.#failWithStatus();
    else if (this.#mode === 'json') this.#wholeAnswer();
    else if (this.#answer.isComplete) this.#finish();
    else this.#fail(droppedError());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#linger);
    this.#controller = undefined;
    if (this.#settled || this.#complete) return;
    if (this.#mode === 'error') this.#failWithStatus();
    else if (this.#answer.isComplete) this.#finish();
    else if (this.#sent) this.#fail(droppedError(error));
    else this.#fail(connectionError(error));
  }

  readonly #onAbort = (): void => this.#fail(this.#options.signal.reason);

  #onStall(ms: number): void {
    if (this.#mode === 'error') this.#failWithStatus();
    else this.#fail(stallError(ms));
  }

  #onEvent(event: EventSourceMessage): void {
    // One network chunk may hold more events than the one that ended the answer.
    if (this.#settled || this.#complete) return;
    const { data } = event;
    if (data === '[DONE]') {
      this.#finish();
      return;
    }
    try {
      const chunk = JSON.parse(data) as WireChunk;
      if (chunk.error || event.event === 'error' || chunk.object === 'error') {
        this.#fail(providerError(chunk, this.#options.redact));
      } else this.#answer.add(chunk);
    } catch (error) {
      this.#fail(understood(error));
    }
  }

  /** Some servers answer at once although they were asked to stream. */
  #wholeAnswer(): void {
    try {
      const answer = JSON.parse(this.#body) as WireChunk;
      if (answer.error || answer.object === 'error') this.#fail(providerError(answer, this.#options.redact));
      else if (!answer.choices?.length) throw new TypeError('an answer without choices');
      else {
        this.#answer.add(answer);
        this.#finish();
      }
    } catch (error) {
      this.#fail(understood(error));
    }
  }

  #finish(): void {
    this.#complete = true;
    let finish: ModelFinish;
    try {
      finish = this.#answer.finish();
    } catch (error) {
      this.#fail(garbledError(error));
      return;
    }
    this.#gate.whenEmpty(() => {
      if (this.#settle()) this.#options.resolve(finish);
    });
    const controller = this.#controller;
    if (controller === undefined) return;
    controller.resume();
    this.#linger = setTimeout(
      () => controller.abort(new Error('the response did not end')),
      this.#options.timeouts.afterEnd,
    );
    this.#linger.unref();
  }

  #failWithStatus(): void {
    this.#fail(httpError(this.#status, this.#body, this.#options.redact, this.#retryAfter));
  }

  #fail(reason: unknown): void {
    if (!this.#settle()) return;
    this.#options.reject(reason);
    clearTimeout(this.#linger);
    this.#controller?.abort(new Error('given up'));
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#stall.pause();
    this.#gate.close();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

/** What the answer itself says about a chunk is more than that it makes no sense. */
function understood(error: unknown): ModelError {
  return error instanceof ModelError ? error : garbledError(error);
}
