/**
 * A transcription server for tests: a real HTTP server that speaks `POST /audio/transcriptions` as OpenAI does, says what a
 * test scripts, and fails in the ways that providers fail. Nothing here sleeps.
 *
 *     const server = await startTranscriptionServer();
 *     // OPENAI_BASE_URL=server.baseUrl, LLMGINE_API_TRANSCRIPTION_MODEL=openai-compatible:whisper-1
 *     server.script({ answer: { text: 'Hello' } }, { status: 429, error: { message: 'Slow down' } });
 *     server.formats = ['json'];            // anything else gets the 400 that OpenAI gives; no script is used up
 *
 * Each request takes the next script; with an empty queue `server.answer` is what is heard. `gate` of a script holds the
 * whole response, `bodyGate` all but the first half of its body, `server.readGate` the reading of the recording.
 *
 * `server.requests` has path, headers, fields and file of each, as the multipart reader of the platform finds them.
 * `server.arrivals` has every request from its headers on, also when its body never came; `closed` resolves when its
 * connection ended before the answer did.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type TestGate, testGate } from './test-engine.ts';

export interface TranscriptionScript {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as it is. */
  readonly answer?: object | string;
  /** What goes into `{"error": ...}`. */
  readonly error?: object | string;
  readonly gate?: TestGate;
  readonly bodyGate?: TestGate;
  /** The connection is cut instead of an answer. */
  readonly drop?: true;
}

export interface Arrival {
  readonly headers: IncomingHttpHeaders;
  readonly closed: Promise<void>;
}

export interface RecordedTranscription extends Arrival {
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly file: { readonly name: string; readonly type: string; readonly bytes: Buffer };
}

/** Three labels, of which A and C are one person. */
export const INTERVIEW = {
  task: 'transcribe',
  text: 'Welcome, Ada. Thank you, Ben. Shall we begin? Gladly.',
  language: 'english',
  duration: 12.5,
  segments: [
    { type: 'transcript.text.segment', id: 's0', start: 0, end: 2.5, text: 'Welcome, Ada.', speaker: 'A' },
    { type: 'transcript.text.segment', id: 's1', start: 2.5, end: 5, text: ' Thank you, Ben.', speaker: 'B' },
    { type: 'transcript.text.segment', id: 's2', start: 5, end: 9, text: ' Shall we begin?', speaker: 'C' },
    { type: 'transcript.text.segment', id: 's3', start: 9, end: 12.5, text: ' Gladly.', speaker: 'B' },
  ],
  usage: {
    type: 'tokens',
    input_tokens: 120,
    output_tokens: 30,
    total_tokens: 150,
    input_token_details: { audio_tokens: 120, text_tokens: 0 },
  },
};

export class TranscriptionServer {
  readonly requests: RecordedTranscription[] = [];
  readonly arrivals: Arrival[] = [];
  /** What is heard in recordings that find the queue empty. */
  answer: object = INTERVIEW;
  formats: readonly string[] = ['json', 'verbose_json', 'diarized_json'];
  readGate: TestGate | undefined;
  readonly #queue: TranscriptionScript[] = [];
  readonly #gates = new Set<TestGate>();
  readonly #server = createServer((request, response) => {
    const arrival: Arrival = {
      headers: request.headers,
      closed: new Promise((resolve) => {
        response.on('close', () => {
          if (!response.writableFinished) resolve();
        });
      }),
    };
    this.arrivals.push(arrival);
    this.#serve(arrival, request, response).catch(() => response.destroy());
  });

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  script(...scripts: TranscriptionScript[]): void {
    this.#queue.push(...scripts);
  }

  /** A gate that `close()` opens, so that a test that failed does not hang. */
  gate(): TestGate {
    const gate = testGate();
    this.#gates.add(gate);
    return gate;
  }

  async close(): Promise<void> {
    for (const gate of this.#gates) gate.open();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(arrival: Arrival, request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.readGate?.pass();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const type = String(request.headers['content-type']);
    const form = await new Response(Buffer.concat(chunks), { headers: { 'content-type': type } }).formData();
    const file = form.get('file') as File;
    const fields = Object.fromEntries([...form].filter(([, value]) => typeof value === 'string'));
    this.requests.push({
      ...arrival,
      path: request.url ?? '',
      fields: fields as Record<string, string>,
      file: { name: file.name, type: file.type, bytes: Buffer.from(await file.arrayBuffer()) },
    });
    if (!this.formats.includes(String(fields.response_format))) {
      const message = `response_format '${fields.response_format}' is not compatible with model '${fields.model}'.`;
      const error = {
        message,
        type: 'invalid_request_error',
        param: 'response_format',
        code: 'unsupported_value',
      };
      return send(response, { status: 400, error });
    }
    const script = this.#queue.shift() ?? { answer: this.answer };
    await script.gate?.pass();
    await send(response, script);
  }
}

async function send(
  response: ServerResponse,
  { status = 200, headers, answer, error, bodyGate, drop }: TranscriptionScript,
): Promise<void> {
  if (drop) {
    response.destroy();
    return;
  }
  const content = error === undefined ? answer : { error };
  const body = typeof content === 'string' ? content : JSON.stringify(content ?? {});
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  const half = Math.floor(body.length / 2);
  if (bodyGate) {
    await new Promise((resolve) => response.write(body.slice(0, half), resolve));
    await bodyGate.pass();
  }
  response.end(bodyGate ? body.slice(half) : body);
}

/** A transcription server that lives as long as the test. */
export async function startTranscriptionServer(): Promise<TranscriptionServer> {
  const server = new TranscriptionServer();
  await server.listen();
  onTestFinished(() => server.close());
  return server;
}

/** A recording as WAV: a tone, 8 kHz, 16 bits. */
export function wav(seconds: number): Buffer {
  const rate = 8000;
  const samples = Math.round(seconds * rate);
  const bytes = Buffer.alloc(44 + samples * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + samples * 2, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples * 2, 40);
  for (let n = 0; n < samples; n++) {
    bytes.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * n) / rate)), 44 + n * 2);
  }
  return bytes;
}
