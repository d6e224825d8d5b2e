import type { Agent, Dispatcher } from 'undici';
import { closedError, limitError } from './model-error.ts';

/** `fetch` with connections of its own. `close()` ends them and whatever runs on them; it is idempotent. */
export interface ModelFetch {
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

/** Bytes of one line of an answer. Who reads it keeps it until it ends, so one without an end would take all memory. */
const MAX_LINE = 8 * 1024 * 1024;
const LINE_FEED = 10;

/** For providers that bring their own wire but not their own connections. undici is loaded by the first request. */
export function createModelFetch(connectTimeout: number): ModelFetch {
  let opened:
    | Promise<{ agent: Agent; dispatcher: Dispatcher; fetch: typeof import('undici').fetch }>
    | undefined;
  let closed = false;
  const open = async () => {
    const { Agent, fetch } = await import('undici');
    // HTTP/1.1 only: each stream has a connection of its own, so pausing or ending one never touches another. The time is
    // watched by whoever reads: these two know nothing of first tokens.
    const agent = new Agent({
      allowH2: false,
      connect: { timeout: connectTimeout },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const dispatcher = agent.compose(
      (dispatch) => (options, handler) => dispatch(options, new LineLimit(handler)),
    );
    return { agent, dispatcher, fetch };
  };
  const request = async (url: unknown, init?: object) => {
    if (closed) throw closedError();
    opened ??= open();
    const { dispatcher, fetch } = await opened;
    return fetch(url as string, { ...init, dispatcher });
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

/** Passes everything on, and ends a response whose line is too long. */
class LineLimit implements Handler {
  readonly #handler: Handler;
  #length = 0;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  onRequestStart(...args: Arguments<'onRequestStart'>): void {
    this.#handler.onRequestStart?.(...args);
  }

  onRequestUpgrade(...args: Arguments<'onRequestUpgrade'>): void {
    this.#handler.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: Arguments<'onResponseStart'>): void {
    this.#handler.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const end = chunk.lastIndexOf(LINE_FEED);
    this.#length = end === -1 ? this.#length + chunk.length : chunk.length - end;
    if (this.#length > MAX_LINE) controller.abort(limitError('one line', MAX_LINE));
    else this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Arguments<'onResponseEnd'>): void {
    this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(...args: Arguments<'onResponseError'>): void {
    this.#handler.onResponseError?.(...args);
  }
}
