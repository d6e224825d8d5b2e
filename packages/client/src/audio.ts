/** Recordings: bytes after `audio_begin`, no faster than they leave. */
import { sleep } from './rest/transport.ts';

/** What a recording can be: all of it, or pieces as they come. */
export type AudioSource =
  | Uint8Array<ArrayBuffer>
  | ArrayBuffer
  | Blob
  | Iterable<Uint8Array<ArrayBuffer>>
  | AsyncIterable<Uint8Array<ArrayBuffer>>;

/** Of a frame. */
const PIECE = 32 * 1024;
/** Bytes that may wait in the socket. */
const MAX_BUFFERED = 256 * 1024;
/** A socket does not say when it has room again. */
const LOOK_AGAIN_MS = 10;

/** What it needs of the connection. */
export interface AudioOutput {
  readonly bufferedAmount: number;
  /** False when the connection on which it began is gone. */
  send(bytes: Uint8Array<ArrayBuffer>): boolean;
}

/** Sends the bytes. Resolves with false when the connection was lost meanwhile. */
export async function sendAudio(
  source: AudioSource,
  output: AudioOutput,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for await (const bytes of pieces(source)) {
    for (let start = 0; start < bytes.length; start += PIECE) {
      while (output.bufferedAmount > MAX_BUFFERED) await sleep(LOOK_AGAIN_MS, signal);
      signal?.throwIfAborted();
      if (!output.send(bytes.subarray(start, start + PIECE))) return false;
    }
  }
  return true;
}

async function* pieces(source: AudioSource): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (source instanceof Uint8Array) yield source;
  else if (source instanceof ArrayBuffer) yield new Uint8Array(source);
  else if (source instanceof Blob) {
    for (let start = 0; start < source.size; start += PIECE) {
      yield new Uint8Array(await source.slice(start, start + PIECE).arrayBuffer());
    }
  } else yield* source;
}
