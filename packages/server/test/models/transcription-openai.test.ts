import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  INTERVIEW,
  startTranscriptionServer,
  type TranscriptionScript,
  type TranscriptionServer,
  wav,
} from '../../../../tests/helpers/transcription-server.ts';
import type { ModelError } from '../../src/models/model-error.ts';
import type { OpenAICompatibleOptions } from '../../src/models/openai-compatible.ts';
import type { AudioInput, Transcription, TranscriptionRequest } from '../../src/models/transcription.ts';
import { openAITranscription } from '../../src/models/transcription-openai.ts';

const KEY = 'sk-a-key-that-nobody-may-see';
const RECORDING = wav(0.1);

function audio(bytes: Buffer = RECORDING, overrides: Partial<AudioInput> = {}): AudioInput {
  return {
    mimeType: 'audio/wav',
    name: 'talk.wav',
    size: bytes.length,
    read: async function* () {
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
    },
    ...overrides,
  };
}

function wire(options: OpenAICompatibleOptions) {
  const made = openAITranscription({ apiKey: KEY, ...options });
  onTestFinished(() => made.close());
  return made;
}

async function start(model = 'whisper-1', options: OpenAICompatibleOptions = {}) {
  const server = await startTranscriptionServer();
  const made = wire({ baseURL: server.baseUrl, ...options }).transcriptionModel(model);
  const transcribe = (
    request: Partial<TranscriptionRequest> = {},
    signal = new AbortController().signal,
  ): Promise<Transcription> => made.transcribe({ audio: audio(), ...request }, signal);
  return { server, model: made, transcribe };
}

const heldBy = (server: TranscriptionServer, hold: 'gate' | 'bodyGate') => {
  const gate = server.gate();
  server.script({ answer: INTERVIEW, [hold]: gate });
  return gate;
};

describe('what is asked', () => {
  test('is the recording as it is, with its name and type, the key, and what was said about it', async () => {
    const { server, model, transcribe } = await start();

    await transcribe({ language: 'de', prompt: 'Ada "Lovelace"\r\n--boundary' });

    expect(model.id).toBe('openai-compatible:whisper-1');
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      path: '/v1/audio/transcriptions',
      fields: {
        model: 'whisper-1',
        response_format: 'verbose_json',
        language: 'de',
        prompt: 'Ada "Lovelace"\r\n--boundary',
      },
      file: { name: 'talk.wav', type: 'audio/wav', bytes: RECORDING },
    });
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  });

  test('cannot be changed by the name of a recording', async () => {
    const { server, transcribe } = await start();
    const name = 'a"; x="\r\ncontent-type: text/html\r\n\r\n.wav';

    await transcribe({ audio: audio(RECORDING, { name, mimeType: 'audio/wav\r\nx: y' }) });

    expect(server.requests[0]?.fields).toEqual({ model: 'whisper-1', response_format: 'verbose_json' });
    expect(server.requests[0]?.file.bytes.equals(RECORDING)).toBe(true);
    expect(server.requests[0]?.file.name).toBe(name);
  });

  test.each([
    ['gpt-4o-transcribe-diarize', 'diarized_json'],
    ['gpt-4o-mini-transcribe', 'json'],
    ['Systran/faster-whisper-small', 'verbose_json'],
  ])('of %s is %s, which is the most that it can say', async (name, format) => {
    const { server, transcribe } = await start(name);
    await transcribe({ prompt: 'Ada' });
    expect(server.requests[0]?.fields.response_format).toBe(format);
    const isDiarizing = format === 'diarized_json';
    expect(server.requests[0]?.fields.chunking_strategy).toBe(isDiarizing ? 'auto' : undefined);
    expect(server.requests[0]?.fields.prompt).toBe(isDiarizing ? undefined : 'Ada');
  });

  test('is plain text when a server refuses the format, and from then on at once', async () => {
    const { server, transcribe } = await start();
    server.formats = ['json'];
    server.answer = { text: 'Plain.' };

    expect(await transcribe()).toEqual({
      text: 'Plain.',
      language: null,
      duration: null,
      segments: [],
      usage: null,
    });
    await transcribe();

    expect(server.requests.map(({ fields }) => fields.response_format)).toEqual([
      'verbose_json',
      'json',
      'json',
    ]);
  });

  test('keeps the query of the base URL, and needs no key', async () => {
    const server = await startTranscriptionServer();
    const made = openAITranscription({ baseURL: `${server.baseUrl}/?version=1` });
    onTestFinished(() => made.close());
    await made.transcriptionModel('x').transcribe({ audio: audio() }, new AbortController().signal);
    expect(server.requests[0]?.path).toBe('/v1/audio/transcriptions?version=1');
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
  });
});

describe('what is heard', () => {
  test('has labels, times, language and usage', async () => {
    const { transcribe } = await start('gpt-4o-transcribe-diarize');
    expect(await transcribe()).toEqual({
      text: INTERVIEW.text,
      language: 'en',
      duration: 12.5,
      segments: [
        { start: 0, end: 2.5, text: 'Welcome, Ada.', speaker: 'A' },
        { start: 2.5, end: 5, text: 'Thank you, Ben.', speaker: 'B' },
        { start: 5, end: 9, text: 'Shall we begin?', speaker: 'C' },
        { start: 9, end: 12.5, text: 'Gladly.', speaker: 'B' },
      ],
      usage: { input_tokens: 120, output_tokens: 30, total_tokens: 150 },
    });
  });

  test('may lack anything but a text: what is missing or nonsense is left out', async () => {
    const { server, transcribe } = await start();
    server.answer = {
      language: 'de',
      duration: '7.5',
      usage: { type: 'duration', seconds: 8 },
      segments: [
        { text: ' One. ', start: '1.5', speaker: ' Speaker\n 1 ' },
        { text: 'Two.', start: -3, end: 1, speaker: '' },
        { text: '', start: 3 },
        null,
        { start: 4 },
        { text: 'Three.', start: 9, end: 'soon', speaker: 2 },
      ],
    };
    expect(await transcribe()).toEqual({
      text: 'One. Two. Three.',
      language: 'de',
      duration: 7.5,
      segments: [
        { start: 1.5, end: 1.5, text: 'One.', speaker: 'Speaker 1' },
        { start: 1.5, end: 1.5, text: 'Two.' },
        { start: 9, end: 9, text: 'Three.', speaker: '2' },
      ],
      usage: null,
    });
  });

  test('nothing is a transcription, too', async () => {
    const { server, transcribe } = await start();
    server.answer = { text: '' };
    expect(await transcribe()).toMatchObject({ text: '', segments: [] });
  });
});

describe('a failure', () => {
  const QUOTING = { message: `the reason, with ${KEY} and Authorization: Bearer ${KEY}`, type: 'test' };

  test.each<[string, TranscriptionScript, ModelError['remedy'], RegExp]>([
    ['a wrong key', { status: 401, error: QUOTING }, 'elsewhere', /answered 401: the reason/],
    ['a bad recording', { status: 400, error: QUOTING }, 'elsewhere', /answered 400: the reason/],
    ['too much', { status: 429, error: QUOTING }, 'again', /answered 429/],
    ['an overloaded server', { status: 503, answer: '<html>' }, 'again', /answered 503: Service Unavailable/],
    ['a redirect', { status: 307, headers: { location: 'http://x/' } }, 'elsewhere', /answered 307/],
    ['a cut connection', { drop: true }, 'again', /closed the connection/],
    ['an error in an answer', { answer: { error: QUOTING } }, 'elsewhere', /reported an error: the reason/],
    ['a web page', { answer: '<html>', headers: { 'content-type': 'text/html' } }, 'elsewhere', /base URL/],
    ['half an answer', { answer: '{"text": "Hel' }, 'elsewhere', /cannot be understood/],
    ['an answer without a text', { answer: { words: [] } }, 'elsewhere', /cannot be understood/],
    ['an answer that is no object', { answer: '[]' }, 'elsewhere', /cannot be understood/],
  ])('%s says what it is, without secrets', async (_what, script, remedy, message) => {
    const { server, transcribe } = await start();
    server.script(script, script);

    const failure = (await transcribe().catch((error: unknown) => error)) as ModelError;

    expect(failure).toMatchObject({ code: 'MODEL_ERROR', remedy, message: expect.stringMatching(message) });
    expect(`${failure.message} ${failure.cause}`).not.toContain(KEY);
  });

  test('says when to come back', async () => {
    const { server, transcribe } = await start();
    server.script({ status: 429, headers: { 'retry-after': '7' }, error: QUOTING });
    await expect(transcribe()).rejects.toMatchObject({ retryAfter: 7 });
  });

  test('a server that is not there is tried again', async () => {
    const gone = createServer();
    gone.listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const model = wire({ baseURL: `http://127.0.0.1:${port}/v1` }).transcriptionModel('x');

    await expect(model.transcribe({ audio: audio() }, new AbortController().signal)).rejects.toMatchObject({
      remedy: 'again',
      message: expect.stringMatching(/cannot be reached \(ECONNREFUSED\)/),
    });
  });

  test('of reading the recording is what it is, and no fault of the provider', async () => {
    const { transcribe } = await start();
    const failure = new Error('the storage is gone');
    const broken = audio(RECORDING, {
      read: async function* () {
        yield RECORDING.subarray(0, 10);
        throw failure;
      },
    });
    await expect(transcribe({ audio: broken })).rejects.toBe(failure);
  });

  test.each(['gate', 'bodyGate'] as const)(
    'a server that stands still at its %s is given up',
    async (hold) => {
      const timeouts = { firstToken: 40, betweenChunks: 40 };
      const { server, transcribe } = await start('whisper-1', { timeouts });
      const gate = heldBy(server, hold);

      await expect(transcribe()).rejects.toThrow(/sent nothing for/);
      await gate.reached;
      await server.arrivals[0]?.closed;
    },
  );

  test('an endless answer is given up', async () => {
    const { server, transcribe } = await start();
    server.script({ answer: { text: 'x'.repeat(80 * 1024 * 1024) }, bodyGate: server.gate() });
    await expect(transcribe()).rejects.toThrow(/cannot be understood/);
    await server.arrivals[0]?.closed;
  });
});

describe('a call that is stopped', () => {
  test.each(['gate', 'bodyGate'] as const)('at its %s ends the request at once', async (hold) => {
    const { server, transcribe } = await start();
    const gate = heldBy(server, hold);
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const call = transcribe({}, controller.signal);
    call.catch(() => {});
    await gate.reached;

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    await server.arrivals[0]?.closed;
  });

  test('while the recording is sent ends the request, and reads no more of it', async () => {
    const { server, transcribe } = await start();
    server.readGate = server.gate();
    const stopped = Promise.withResolvers<void>();
    let read = 0;
    const endless = audio(RECORDING, {
      size: 1024 * 1024 * 1024,
      read: async function* () {
        try {
          for (;;) {
            read += 65_536;
            yield Buffer.alloc(65_536);
          }
        } finally {
          stopped.resolve();
        }
      },
    });
    const controller = new AbortController();
    const call = transcribe({ audio: endless }, controller.signal);
    call.catch(() => {});
    await server.readGate.reached;

    controller.abort(new Error('cancelled'));

    await expect(call).rejects.toThrow('cancelled');
    await stopped.promise;
    // A server that does not read does not hear that its client has gone, either.
    server.readGate.open();
    await server.arrivals[0]?.closed;
    // A server that does not read holds the sender: a recording is never in memory as a whole.
    expect(read).toBeLessThan(64 * 1024 * 1024);
  });

  test('before it began asks nobody', async () => {
    const { server, transcribe } = await start();
    const reason = new Error('cancelled');
    await expect(transcribe({}, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.arrivals).toHaveLength(0);
  });

  test('by the end of the application ends too', async () => {
    const server = await startTranscriptionServer();
    const made = openAITranscription({ baseURL: server.baseUrl });
    const gate = heldBy(server, 'gate');
    const model = made.transcriptionModel('x');
    const call = model.transcribe({ audio: audio() }, new AbortController().signal);
    call.catch(() => {});
    await gate.reached;

    await made.close();
    await made.close();

    await expect(call).rejects.toMatchObject({ code: 'MODEL_ERROR' });
    await expect(model.transcribe({ audio: audio() }, new AbortController().signal)).rejects.toThrow(
      /closed/,
    );
  });
});
