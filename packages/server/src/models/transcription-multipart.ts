import { randomUUID } from 'node:crypto';
import type { AudioInput } from './transcription.ts';

export interface MultipartBody {
  readonly contentType: string;
  /** Bytes of all of it. */
  readonly contentLength: number;
  /** May be called again. */
  stream(): AsyncIterable<Uint8Array>;
}

/**
 * `multipart/form-data` of some fields and one recording, which is read while it is sent: as a `FormData` it would have to
 * be in memory as a whole, once for each run.
 */
export function multipart(fields: readonly (readonly [string, string])[], audio: AudioInput): MultipartBody {
  // Nobody who makes a recording or a prompt can know it, so nothing in them can end their part.
  const boundary = `----llmgine-${randomUUID()}`;
  const head = Buffer.from(
    [
      ...fields.map(([name, value]) => `${part(boundary, name)}\r\n\r\n${value}\r\n`),
      `${part(boundary, 'file')}; filename="${escaped(audio.name)}"\r\n`,
      `content-type: ${audio.mimeType.replace(/[^\x20-\x7e]/g, '')}\r\n\r\n`,
    ].join(''),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    contentLength: head.length + audio.size + tail.length,
    stream: async function* () {
      yield head;
      yield* audio.read();
      yield tail;
    },
  };
}

function part(boundary: string, name: string): string {
  return `--${boundary}\r\ncontent-disposition: form-data; name="${escaped(name)}"`;
}

/** As the HTML standard has it: a name must not end its header. */
function escaped(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22');
}
