import type { Message } from '@llmgine/protocol';
import { onTestFinished } from 'vitest';
import type { StartOptions } from '../../../../../tests/helpers/app.ts';
import { startApp, type TestApp } from '../../../../../tests/helpers/app.ts';
import { startTestModels } from '../../../../../tests/helpers/model-app.ts';
import type { ModelServer } from '../../../../../tests/helpers/model-server.ts';
import { call } from '../../../../../tests/helpers/rest.ts';
import {
  startTranscriptionServer,
  type TranscriptionServer,
  wav,
} from '../../../../../tests/helpers/transcription-server.ts';
import { TestSocket } from '../../../../../tests/helpers/ws-client.ts';
import type { SessionFile } from '../../../src/engines/types.ts';
import { voiceProcessingEngine } from '../../../src/engines/voice/engine.ts';
import { ExtensibleAPIFactory } from '../../../src/extensibility/factory.ts';
import { openAITranscription } from '../../../src/models/transcription-openai.ts';

/** The one recording of every session. */
export const RECORDING = wav(0.5);
export const FILE: SessionFile = {
  fileId: 'file_1',
  mimeType: 'audio/wav',
  name: 'interview.wav',
  size: RECORDING.length,
  duration: 0.5,
  read: async function* () {
    yield RECORDING;
  },
};

/** The engine as it is, with one recording that nobody had to send. */
export function voiceFactory(speech: TranscriptionServer): ExtensibleAPIFactory {
  const wire = openAITranscription({ name: 'speech', baseURL: speech.baseUrl });
  onTestFinished(() => wire.close());
  return new ExtensibleAPIFactory()
    .registerModelProvider({
      name: 'speech',
      model: () => {
        throw new TypeError('it only listens');
      },
      transcriptionModel: (name) => wire.transcriptionModel(name),
    })
    .registerEngine({
      ...voiceProcessingEngine,
      type: 'VoiceEngine',
      create: async (config, services) => {
        const engine = await voiceProcessingEngine.create(config, services);
        return { run: (context) => engine.run({ ...context, file: async () => FILE }) };
      },
    });
}

/** The servers, and what starts an application before them; each start is a process of its own on the same data. */
export async function voiceWorld(options: StartOptions = {}) {
  const models = await startTestModels();
  const speech = await startTranscriptionServer();
  const start = () =>
    startApp({
      ...options,
      apiFactory: voiceFactory(speech),
      env: { OPENAI_BASE_URL: models.baseUrl },
      config: {
        model: 'openai-compatible:x',
        transcriptionModel: 'speech:whisper-1',
        modelRetries: 0,
        ...options.config,
      },
    });
  return { models, speech, start };
}

export async function startVoice(engineConfig: object = {}) {
  const { models, speech, start } = await voiceWorld();
  const app = await start();
  const id = await app.createSession({ engine_type: 'VoiceEngine', engine_config: engineConfig });
  const socket = await TestSocket.open(app.wsUrl(id));
  return { ...app, ...session(app, id, socket), models, speech, id, socket };
}

function session(app: TestApp, id: string, socket: TestSocket) {
  return {
    run: (command: string, parameters: object) => socket.run(command, parameters),
    messages: async (): Promise<Message[]> =>
      (await call('GET', `${app.url}/api/sessions/${id}/messages?limit=100`)).body.messages,
    /** The payloads of the events of this type, in order. */
    events: (type: string) =>
      socket.events.filter(({ event_type }) => event_type === type).map(({ payload }) => payload),
  };
}

/** The model merges these labels, one call for each list. */
export function merging(...merges: readonly (readonly string[])[]) {
  return {
    steps: [
      {
        toolCalls: merges.map((speakers, n) => ({
          id: `call_${n + 1}`,
          name: 'merge_speakers',
          arguments: { speakers, reason: `${speakers.join(' and ')} sound the same` },
        })),
      },
    ],
  };
}

/** What the model was told of its calls last, as text. */
export function toldLast({ requests }: ModelServer): string[] {
  const messages = requests.at(-1)?.body.messages ?? [];
  const since = messages.findLastIndex(({ role }) => role === 'assistant');
  return messages.slice(since + 1).map(({ content }) => String(content));
}

/** Says `words` in turns: A, B, C, …, and again from A. */
export function talk(labels: readonly string[], turns = labels.length) {
  return {
    segments: Array.from({ length: turns }, (_, n) => ({
      speaker: labels[n % labels.length],
      text: `word ${n}`,
      start: n,
      end: n + 1,
    })),
  };
}
