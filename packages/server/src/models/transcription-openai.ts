import type { Agent } from 'undici';
import {
  closedError,
  createRedact,
  httpError,
  modelError,
  type Redact,
  retryAfterSeconds,
  stallError,
} from './model-error.ts';
import { checkModelName, OPENAI_BASE_URL, type OpenAICompatibleOptions } from './openai-compatible.ts';
import { MODEL_TIMEOUTS, type ModelTimeouts, StallTimer } from './stall-timer.ts';
import type { Transcription, TranscriptionModel, TranscriptionRequest } from './transcription.ts';
import { parseTranscription } from './transcription-answer.ts';
import { type AudioAnswer, exchangeAudio } from './transcription-exchange.ts';
import { multipart } from './transcription-multipart.ts';

/**
 * The answer comes as a whole when the recording has been listened to, so the first byte may take longer for a longer
 * one: a second for each second of speech, at the rate of a usual MP3.
 */
const BYTES_PER_SECOND = 16_384;
/** Models whose servers refused more than plain text are remembered, up to so many of them. */
const MAX_REMEMBERED = 100;

type Format = 'json' | 'verbose_json' | 'diarized_json';

/** What turns speech into text at one server. `close()` ends what still runs; it is idempotent. */
export interface TranscriptionWire {
  /** Throws `VALIDATION_ERROR` for an empty name. Does no I/O. */
  transcriptionModel(name: string): TranscriptionModel;
  close(): Promise<void>;
}

/** `POST /audio/transcriptions`, as OpenAI and most servers of one's own have it. */
export function openAITranscription(options: OpenAICompatibleOptions = {}): TranscriptionWire {
  const { name: provider = 'openai-compatible', baseURL = OPENAI_BASE_URL, apiKey } = options;
  const wire = new AudioWire(new URL(baseURL), apiKey, { ...MODEL_TIMEOUTS, ...options.timeouts });
  return {
    transcriptionModel: (name) => {
      const model = checkModelName(provider, name);
      return {
        id: `${provider}:${model}`,
        transcribe: (request, signal) => wire.transcribe(model, request, signal),
      };
    },
    close: () => wire.close(),
  };
}

class AudioWire {
  #agent: Promise<Agent> | undefined;
  #closed = false;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeouts: ModelTimeouts;
  readonly #redact: Redact;
  readonly #plain = new Set<string>();

  constructor(baseURL: URL, apiKey: string | undefined, timeouts: ModelTimeouts) {
    this.#url = new URL(baseURL);
    this.#url.pathname = `${baseURL.pathname.replace(/\/+$/, '')}/audio/transcriptions`;
    this.#timeouts = timeouts;
    this.#redact = createRedact([apiKey]);
    this.#headers = {
      accept: 'application/json',
      'user-agent': 'llmgine-api',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
  }

  async transcribe(
    model: string,
    request: TranscriptionRequest,
    signal: AbortSignal,
  ): Promise<Transcription> {
    const format = this.#plain.has(model) ? 'json' : bestFormat(model);
    const answer = await this.#post(model, format, request, signal);
    if (format === 'json' || (answer.status !== 400 && answer.status !== 422)) return this.#read(answer);
    // Either it knows no such format, or something else is wrong, which it then says again.
    const again = await this.#post(model, 'json', request, signal);
    const transcription = this.#read(again);
    if (this.#plain.size < MAX_REMEMBERED) this.#plain.add(model);
    return transcription;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#agent)?.destroy();
  }

  async #post(
    model: string,
    format: Format,
    request: TranscriptionRequest,
    signal: AbortSignal,
  ): Promise<AudioAnswer> {
    if (this.#closed) throw closedError();
    signal.throwIfAborted();
    this.#agent ??= openAgent(this.#timeouts.connect);
    const agent = await this.#agent;
    const firstToken = this.#timeouts.firstToken + (request.audio.size / BYTES_PER_SECOND) * 1000;
    const stalled = new AbortController();
    const stall = new StallTimer({ ...this.#timeouts, firstToken }, (ms) => stalled.abort(stallError(ms)));
    try {
      return await exchangeAudio(agent, {
        url: this.#url,
        headers: this.#headers,
        body: multipart(fieldsOf(model, format, request), request.audio),
        signal: AbortSignal.any([signal, stalled.signal]),
        onProgress: () => stall.progress(),
      });
    } finally {
      stall.pause();
    }
  }

  #read({ status, headers, body }: AudioAnswer): Transcription {
    if (status >= 300) throw httpError(status, body, this.#redact, retryAfterSeconds(headers));
    if (String(headers['content-type'] ?? '').includes('html')) {
      throw modelError('The model provider answered with a web page; is the base URL right?');
    }
    return parseTranscription(body, this.#redact);
  }
}

/** Of OpenAI's models only Whisper gives times, and only those that tell voices apart give labels. */
function bestFormat(model: string): Format {
  if (/diari[sz]e/i.test(model)) return 'diarized_json';
  return /^gpt-.*transcribe/i.test(model) ? 'json' : 'verbose_json';
}

function fieldsOf(
  model: string,
  format: Format,
  { language, prompt }: TranscriptionRequest,
): (readonly [string, string])[] {
  const isDiarizing = bestFormat(model) === 'diarized_json';
  return [
    ['model', model],
    ['response_format', format],
    ...(language === undefined ? [] : [['language', language] as const]),
    // Models that tell voices apart take no prompt, and want to be told to cut what is long.
    ...(prompt === undefined || isDiarizing ? [] : [['prompt', prompt] as const]),
    ...(isDiarizing ? [['chunking_strategy', 'auto'] as const] : []),
  ];
}

async function openAgent(connectTimeout: number): Promise<Agent> {
  const { Agent } = await import('undici');
  return new Agent({ allowH2: false, connect: { timeout: connectTimeout } });
}
