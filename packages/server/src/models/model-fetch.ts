import type { Agent, Dispatcher, RequestInit } from 'undici';
import { EventLength } from './event-length.ts';
import { closedError, compressedError, isCompressed, limitError } from './model-error.ts';

/** `fetch` with connections of its own. `close()` ends them and whatever runs on them; it is idempotent. */
export interface ModelFetch {
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

/** Bytes of one event of an answer. */
const MAX_EVENT = 8 * 1024 * 1024;
/** Bytes that are read of an error's body. */
const MAX_ERROR_BODY = 16 * 1024;

/** For providers that bring their own wire but not their own connections. undici is loaded by the first request. */
export function createModelFetch(connectTimeout: number): ModelFetch {
  let opened:
    | Promise<{ agent: Agent; dispatcher: Dispatcher } & Pick<typeof import('undici'), 'fetch' | 'Headers'>>
    | undefined;
  let closed = false;
  const open = async () => {
    const { Agent, fetch, Headers } = await import('undici');
    // HTTP/1.1 only: each stream has a connection of its own, so pausing or ending one never touches another. The time is
    // watched by whoever reads: these two know nothing of first tokens.
    const agent = new Agent({
      allowH2: false,
      connect: { timeout: connectTimeout },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const dispatcher = agent.compose(
      (dispatch) => (options, handler) => dispatch(options, new AnswerLimit(handler)),
    );
    return { agent, dispatcher, fetch, Headers };
  };
  const request = async (url: unknown, init: RequestInit = {}) => {
    if (closed) throw closedError();
    opened ??= open();
    const { dispatcher, fetch, Headers } = await opened;
    const headers = new Headers(init.headers);
    // A few bytes could become more than all memory, and pieces of some words do not become smaller.
    headers.set('accept-encoding', 'identity');
    return fetch(url as string, { ...init, headers, dispatcher });
  };
  return {
    // The same standard, typed once by Node and once by undici.
    fetch: request as unknown as typeof globalThis.fetch,
    close: async () => {
      closed = true;
      await (await opened)?.agent.destroy();
    },
  };
}

type Handler = Dispatcher.DispatchHandler;
type Arguments<Name extends keyof Handler> = Parameters<NonNullable<Handler[Name]>>;

/** Passes everything on, but ends a response that nobody could hold, and cuts the body of an error. */
class AnswerLimit implements Handler {
  readonly #handler: Handler;
  readonly #event = new EventLength();
  /** Of the body of an error: what may still come. */
  #room: number | undefined;
  #cut = false;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  onRequestStart(...args: Arguments<'onRequestStart'>): void {
    this.#handler.onRequestStart?.(...args);
  }

  onRequestUpgrade(...args: Arguments<'onRequestUpgrade'>): void {
    this.#handler.onRequestUpgrade?.(...args);
  }

  onResponseStart(...[controller, status, headers, message]: Arguments<'onResponseStart'>): void {
    if (status >= 300) this.#room = MAX_ERROR_BODY;
    else if (isCompressed(headers)) {
      controller.abort(compressedError());
      return;
    }
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#cut) return;
    if (this.#room !== undefined) {
      this.#errorData(controller, chunk, this.#room);
    } else if (this.#event.count(chunk) > MAX_EVENT) {
      controller.abort(limitError('one event', MAX_EVENT));
    } else {
      this.#handler.onResponseData?.(controller, chunk);
    }
  }

  onResponseEnd(...args: Arguments<'onResponseEnd'>): void {
    if (!this.#cut) this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(...args: Arguments<'onResponseError'>): void {
    if (!this.#cut) this.#handler.onResponseError?.(...args);
  }

  #errorData(controller: Dispatcher.DispatchController, chunk: Buffer, room: number): void {
    this.#handler.onResponseData?.(controller, chunk.subarray(0, room));
    this.#room = room - chunk.length;
    if (this.#room > 0) return;
    this.#cut = true;
    this.#handler.onResponseEnd?.(controller, {});
    controller.abort(new Error('read enough'));
  }
}
