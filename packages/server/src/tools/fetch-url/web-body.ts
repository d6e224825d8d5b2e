import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

export interface WebBody {
  readonly bytes: Buffer;
  /** False when there was more than is read. */
  readonly whole: boolean;
}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Reads at most `maxBytes`, counted after decompression while they come, and no more than that from the wire: a bomb is
 * never unpacked, and a stream that unpacks to nothing ends too. Throws for an encoding that it does not know, and for
 * what breaks on the way. The body is used up either way.
 */
export async function readBody(body: Readable, encoding: string, maxBytes: number): Promise<WebBody> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of decoded(body, encoding.trim().toLowerCase(), maxBytes)) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > maxBytes) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), whole: size <= maxBytes };
}

function decoded(body: Readable, encoding: string, maxBytes: number): Readable {
  if (encoding === '' || encoding === 'identity') return body;
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (!decoder) throw new Error(`The encoding ${JSON.stringify(encoding.slice(0, 100))} is not read`);
  // Its failure is the failure of what is read.
  return pipeline(
    body,
    (source: Readable) => atMost(source, maxBytes),
    decoder(),
    () => {},
  );
}

async function* atMost(source: AsyncIterable<Buffer>, maxBytes: number): AsyncIterable<Buffer> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`More than ${maxBytes} bytes came`);
    yield chunk;
  }
}

/** Text of bytes, as browsers find out: the mark at their beginning, then what the server says, then what the page says. */
export function decodeText(bytes: Buffer, charset: string, html: boolean): string {
  const label = markOf(bytes) ?? (charset || (html ? metaCharset(bytes) : ''));
  return decoder(label).decode(bytes);
}

function markOf(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'utf-8' : undefined;
}

function metaCharset(bytes: Buffer): string {
  return (
    /<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?([\w-]{1,40})/i.exec(
      bytes.toString('latin1', 0, 1024),
    )?.[1] ?? ''
  );
}

function decoder(label: string): TextDecoder {
  try {
    return new TextDecoder(label || 'utf-8');
  } catch {
    return new TextDecoder();
  }
}
