/** The ways in which model servers fail, by name. See `tests/helpers/model-server.ts` for what they are made of. */
import type { ModelScript, ModelServer } from '../helpers/model-server.ts';
import type { ModelWireName } from './model-wires.ts';

/** Characters of one chunk of a flood. */
const FLOOD_CHUNK = 16_384;

const CHAT_CHUNK = '{"choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}]}';
/** A chunk of text of each wire. */
const CHUNKS: Readonly<Record<ModelWireName, string>> = {
  'openai-compatible': CHAT_CHUNK,
  openai: CHAT_CHUNK,
  anthropic: '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}',
  google: '{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"TEXT"}]}}]}',
};

export const faults = {
  /** The request is taken, and not even the headers come, until the model server closes. */
  hang: (server: Pick<ModelServer, 'gate'>): ModelScript => ({ headersGate: server.gate() }),
  /** Says this, and then nothing any more, without an end. */
  stall: (server: Pick<ModelServer, 'gate'>, text: string): ModelScript => ({
    steps: [{ text }, { gate: server.gate() }],
  }),
  /** A correct answer, so many bytes at a time. */
  trickle: (text: string, bytes = 1): ModelScript => ({ steps: [{ text }], cut: bytes }),
  /** At least so many bytes of text, as fast as they are taken. */
  flood: (bytes: number): ModelScript => {
    const chunk = { text: 'x'.repeat(FLOOD_CHUNK) };
    return { steps: Array.from({ length: Math.ceil(bytes / FLOOD_CHUNK) }, () => chunk) };
  },
  /** A chunk whose text is no UTF-8. */
  badUtf8: (wire: ModelWireName = 'openai-compatible'): ModelScript => {
    const [before, after] = CHUNKS[wire].split('TEXT') as [string, string];
    const text = Buffer.from([0xff, 0xfe, 0xc3, 0x28]);
    // The first piece opens the block that the chunk belongs to.
    return {
      steps: [
        { text: 'So: ' },
        { raw: Buffer.concat([Buffer.from(`data: ${before}`), text, Buffer.from(`${after}\n\n`)]) },
      ],
    };
  },
  /** Says this, then a chunk that stops in the middle, and the stream goes on as if nothing had happened. */
  halfJson: (text: string): ModelScript => ({
    steps: [{ text }, { raw: 'data: {"choices":[{"index":0,"delta":{"content":"Hel\n\n' }],
  }),
  /** Says this, and the stream ends without a reason to finish and without `[DONE]`. */
  stop: (text: string): ModelScript => ({ steps: [{ text }], finish: null }),
  /** Says this, and the connection is gone. */
  drop: (text: string): ModelScript => ({ steps: [{ text }, { drop: true }] }),
  /** 429, with when to come back. */
  busy: (seconds: number): ModelScript => ({
    status: 429,
    headers: { 'retry-after': String(seconds) },
    error: { message: 'Slow down', type: 'rate_limit' },
  }),
} as const;
