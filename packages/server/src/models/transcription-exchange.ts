/** One request with a recording, and its whole answer. */
import { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import { connectionError, droppedError, garbledError } from './model-error.ts';
import type { MultipartBody } from './transcription-multipart.ts';
import { untilAborted } from './until-aborted.ts';

/** Bytes of an answer: the words of a long day, with their times. */
const MAX_ANSWER = 32 * 1024 * 1024;
/** Bytes that are read of an error's body. */
const MAX_ERROR_BODY = 16 * 1024;

export interface AudioAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: string;
}

export interface AudioExchange {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: MultipartBody;
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
}

/** Rejects with what the signal says, with what reading the recording says, or with `MODEL_ERROR`. */
export async function exchangeAudio(
  agent: Agent,
  { url, headers, body, signal, onProgress }: AudioExchange,
): Promise<AudioAnswer> {
  let sent = false;
  let unreadable: { readonly error: unknown } | undefined;
  const upload = async function* () {
    sent = true;
    try {
      yield* body.stream();
    } catch (error) {
      unreadable = { error };
      throw error;
    }
  };
  const answered = async (): Promise<AudioAnswer> => {
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'POST',
      headers: { ...headers, 'content-type': body.contentType, 'content-length': String(body.contentLength) },
      body: Readable.from(upload(), { objectMode: false }),
      signal,
      // Watched by whoever gave the signal.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const { statusCode: status } = response;
    onProgress();
    const text = await bodyText(response.body, status >= 300 ? MAX_ERROR_BODY : MAX_ANSWER, onProgress);
    if (text === undefined && status < 300) throw garbledError();
    return { status, headers: response.headers, body: text ?? '' };
  };
  try {
    // undici hears a signal only once it has a connection.
    return await untilAborted(answered(), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable) throw unreadable.error;
    if (!(error instanceof Error) || 'remedy' in error) throw error;
    throw sent ? droppedError(error) : connectionError(error);
  }
}

/** Undefined when it is longer than that; the connection is then given up. */
async function bodyText(
  body: Dispatcher.ResponseData['body'],
  limit: number,
  onProgress: () => void,
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    onProgress();
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > limit) return undefined;
  }
  return Buffer.concat(chunks).toString();
}
