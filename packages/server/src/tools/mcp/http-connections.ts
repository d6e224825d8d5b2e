import type { FetchLike } from '@modelcontextprotocol/client';
import type { Agent } from 'undici';
import { EventLength } from '../../models/event-length.ts';
import { FloodGuard } from './flood-guard.ts';

/** Bytes of one answer, or of one event of a stream. */
const MAX_MESSAGE = 10 * 1024 * 1024;

/**
 * The connections to one server, which end with it. How long an answer may take is for whoever asks to say: a call may
 * have hours. A server that sends without end fails instead of filling the memory.
 */
export class HttpConnections {
  readonly #guard = new FloodGuard();
  #opened: Promise<{ agent: Agent } & Pick<typeof import('undici'), 'fetch'>> | undefined;
  #closed = false;

  readonly fetch: FetchLike = async (url, init) => {
    if (this.#closed) throw new Error('The connections are closed');
    this.#opened ??= open();
    const { agent, fetch } = await this.#opened;
    // The same standard, typed once by Node and once by undici.
    const response = (await fetch(String(url), {
      ...init,
      dispatcher: agent,
    } as object)) as unknown as Response;
    if (!response.body) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(limited(this.#guard)), {
      status,
      statusText,
      headers: [...headers],
    });
  };

  /** Counts a message that has come; true when there are too many. */
  countMessage(): boolean {
    return this.#guard.count(0, 1);
  }

  /** Ends whatever runs on them. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#opened)?.agent.destroy();
  }
}

/** undici is loaded by the first request. */
async function open() {
  const { Agent, fetch } = await import('undici');
  return { agent: new Agent({ headersTimeout: 0, bodyTimeout: 0 }), fetch };
}

/** An event of a stream ends with an empty line; an answer in JSON has none that counts. */
function limited(guard: FloodGuard): TransformStream<Uint8Array, Uint8Array> {
  const event = new EventLength();
  return new TransformStream({
    transform(chunk, controller) {
      if (event.count(chunk) > MAX_MESSAGE) {
        throw new Error(`The server sent more than ${MAX_MESSAGE} bytes at once`);
      }
      if (guard.count(chunk.length, 0)) throw new Error('The server sends without end');
      controller.enqueue(chunk);
    },
  });
}
