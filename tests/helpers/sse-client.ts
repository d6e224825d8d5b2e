import { createParser } from 'eventsource-parser';
import { onTestFinished } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: tests look into events of every type.
type Data = any;

export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Data;
}

export interface OpenStreamOptions {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

/** A client of server-sent events for tests: remembers every event, and waits for what it is asked for, never for time. */
export class TestStream {
  readonly events: ServerSentEvent[] = [];
  /** What `Last-Event-ID` would be. */
  lastEventId: string | undefined;
  /** Resolves when the stream is over, whoever ended it. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;
  readonly #waiting = new Set<() => void>();
  #over = false;

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort;
    this.ended = this.#read(response).catch(() => {});
    void this.ended.then(() => {
      this.#over = true;
      this.#look();
    });
  }

  /** Rejects with the status and the body when the answer is no event stream. */
  static async open(url: string, options: OpenStreamOptions = {}): Promise<TestStream> {
    const { method = 'GET', body, headers } = options;
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const response = await fetch(url, {
      method,
      signal: abort.signal,
      headers: {
        accept: 'text/event-stream',
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    return new TestStream(response, abort);
  }

  async #read(response: Response): Promise<void> {
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        this.events.push({ id, event, data: JSON.parse(data) as Data });
        this.#look();
      },
    });
    const decoder = new TextDecoder();
    let line = '';
    for await (const chunk of response.body ?? []) {
      const text = decoder.decode(chunk, { stream: true });
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      // Also of blocks without data, which the parser does not tell about.
      for (const whole of lines) if (whole.startsWith('id: ')) this.lastEventId = whole.slice(4);
      parser.feed(text);
    }
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Resolves with the first event, past or future, that fits. Rejects when the stream ends without one. */
  find(fits: (event: ServerSentEvent) => boolean): Promise<ServerSentEvent> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const event = this.events.find(fits);
        if (!event && !this.#over) return;
        this.#waiting.delete(look);
        if (event) resolve(event);
        else reject(new Error(`ended; got ${JSON.stringify(this.events.map(({ event }) => event))}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  findEvent(eventType: string, runId?: string): Promise<ServerSentEvent> {
    return this.find(
      ({ event, data }) => event === eventType && (runId === undefined || data.run_id === runId),
    );
  }

  /** The client hangs up. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }
}
