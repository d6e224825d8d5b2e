/** A recording on its way through a real server: sent, transcribed, merged, spoken about. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../helpers/anthropic-server.ts';
import { startApp, type TestApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { startGeminiServer } from '../helpers/gemini-server.ts';
import { startModelServer } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { INTERVIEW, startTranscriptionServer, wav } from '../helpers/transcription-server.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const RECORDING = wav(1.5);

async function open(app: TestApp, engineConfig: object = {}) {
  const id = await app.createSession({ engine_type: 'VoiceProcessingEngine', engine_config: engineConfig });
  return { id, socket: await TestSocket.open(app.wsUrl(id)) };
}

async function upload(app: Pick<TestApp, 'url'>, id: string): Promise<string> {
  const response = await fetch(`${app.url}/api/sessions/${id}/audio`, {
    method: 'POST',
    headers: { 'content-type': 'audio/wav' },
    body: RECORDING,
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { file_id: string }).file_id;
}

/** Sends the recording over the socket, and resolves with what the command with it has come to. */
async function speak(socket: TestSocket, command: string, parameters: object) {
  socket.send({ type: 'audio_begin', message_id: 'begin', data: { mime_type: 'audio/wav' } });
  for (let at = 0; at < RECORDING.length; at += 4096) socket.ws.send(RECORDING.subarray(at, at + 4096));
  socket.send({ type: 'audio_end', message_id: 'end', data: { command, parameters } });
  const { data } = await socket.find(
    ({ type, message_id }) => type === 'command_result' && message_id === 'end',
  );
  return data;
}

describe('without a key', () => {
  test('everything can be tried: the demo says what it is, merges its voices, and answers', async () => {
    const app = await startApp();
    const { socket } = await open(app);

    const { status, result } = await speak(socket, 'process', { speakers: 2, prompt: 'What is this?' });

    expect(status).toBe('completed');
    expect(result).toMatchObject({
      text: expect.stringMatching(/demo transcription.*audio\/wav.*24044 bytes.*1\.5 seconds/),
      duration: 1.5,
      speakers: 2,
      mapping: { A: 'A', B: 'B', C: 'A' },
      reasons: [{ merged: ['A', 'C'], into: 'A', reason: expect.stringMatching(/demo model/) }],
      answer: { text: expect.stringMatching(/^You said: "What is this\?".*demo model/s) },
    });
    expect(socket.events.map(({ event_type }) => event_type)).toEqual(
      expect.arrayContaining(['status', 'tool_call', 'tool_result', 'run_finished']),
    );
  });

  test('four labels become one person, step by step', async () => {
    const app = await startApp();
    const { socket } = await open(app);
    const segments = ['A', 'B', 'C', 'D'].map((speaker) => ({ speaker, text: `I am ${speaker}` }));
    const { result } = await socket.run('merge_speakers', { transcript: { segments }, speakers: 1 });
    expect(result).toMatchObject({
      mapping: { A: 'A', B: 'A', C: 'A', D: 'A' },
      transcript: { segments: [{ speaker: 'A', text: 'I am A I am B I am C I am D' }] },
    });
    expect(result.reasons).toHaveLength(3);
  });
});

test('the commands of the guide do what it says', async () => {
  const app = await startApp();
  const guide = await readFile(join(import.meta.dirname, '../../docs/guide/voice.md'), 'utf8');
  const commands = /```sh\n(.*?)```/s.exec(guide)?.[1]?.replaceAll('http://localhost:8000', app.url);
  const folder = await tempDir();
  await writeFile(join(folder, 'interview.wav'), RECORDING);

  const { stdout } = await promisify(execFile)('bash', ['-euc', String(commands)], { cwd: folder });

  const result = JSON.parse(stdout.slice(stdout.lastIndexOf('{"run_id"')));
  expect(result).toMatchObject({ status: 'completed', result: { speakers: 2, mapping: { C: 'A' } } });
});

test('a recording that was sent over REST is transcribed by the configured server, with its key', async () => {
  const speech = await startTranscriptionServer();
  const app = await startApp({
    env: { OPENAI_BASE_URL: speech.baseUrl, OPENAI_API_KEY: 'sk-the-key-of-the-server' },
    config: {
      transcriptionModel: 'openai:gpt-4o-transcribe-diarize',
      prices: { 'openai:gpt-4o-*': { input: 2, output: 10 } },
    },
  });
  const { id } = await open(app);
  const command = { command: 'transcribe', parameters: { file_id: await upload(app, id) } };

  const { body } = await call('POST', `${app.url}/api/sessions/${id}/commands`, command);

  expect(body).toMatchObject({
    status: 'completed',
    result: { text: INTERVIEW.text, duration: 12.5, segments: expect.toSatisfy((all) => all.length === 4) },
    usage: { total_tokens: 150, cost: 0.00054 },
  });
  expect(speech.requests[0]).toMatchObject({
    fields: { model: 'gpt-4o-transcribe-diarize', response_format: 'diarized_json' },
    file: { name: 'recording.wav', type: 'audio/wav', bytes: RECORDING },
    headers: { authorization: 'Bearer sk-the-key-of-the-server' },
  });
});

test('a recording of another session, or of nobody, is not heard', async () => {
  const app = await startApp();
  const [mine, other] = [await open(app), await open(app)];
  const fileId = await upload(app, other.id);
  for (const file_id of [fileId, 'file_nobody']) {
    expect(await mine.socket.run('transcribe', { file_id })).toMatchObject({
      status: 'failed',
      error: { code: 'VALIDATION_ERROR', message: expect.stringMatching(/no file/) },
    });
  }
});

test('a budget counts what is heard as a step, and ends the run before the next call', async () => {
  const models = await startModelServer();
  onTestFinished(() => models.close());
  const app = await startApp({
    env: { OPENAI_BASE_URL: models.baseUrl },
    config: { model: 'openai-compatible:x', transcriptionModel: 'demo', budgets: { run: { steps: 1 } } },
  });
  const { socket } = await open(app);
  expect(await speak(socket, 'process', { speakers: 2, prompt: 'Who?' })).toMatchObject({
    status: 'failed',
    error: { code: 'BUDGET_EXCEEDED' },
  });
  expect(models.requests).toHaveLength(0);
  // What was heard before stays, for prompts.
  expect(await socket.run('prompt', { prompt: 'Who?' })).toMatchObject({ status: 'completed' });
  expect(models.requests[0]?.body.messages.at(-1)?.content).toContain('demo transcription');
});

test('cancelling ends the request to the server that listens', async () => {
  const speech = await startTranscriptionServer();
  const gate = speech.gate();
  speech.script({ answer: INTERVIEW, gate });
  const app = await startApp({
    env: { OPENAI_BASE_URL: speech.baseUrl },
    config: { transcriptionModel: 'openai-compatible:whisper-1' },
  });
  const { id, socket } = await open(app);
  const result = socket.run('transcribe', { file_id: await upload(app, id) });
  await gate.reached;
  await socket.request('cancel');
  expect(await result).toMatchObject({ status: 'cancelled' });
  await speech.arrivals[0]?.closed;
});

const WIRES = [
  {
    model: 'openai-compatible:x',
    start: startModelServer,
    env: (url: string) => ({ OPENAI_BASE_URL: url }),
  },
  {
    model: 'anthropic:claude',
    start: startAnthropicServer,
    env: (url: string) => ({ ANTHROPIC_API_KEY: 'sk-ant-test', ANTHROPIC_BASE_URL: url }),
  },
  {
    model: 'google:gemini',
    start: startGeminiServer,
    env: (url: string) => ({ GOOGLE_GENERATIVE_AI_API_KEY: 'test', GOOGLE_GENERATIVE_AI_BASE_URL: url }),
  },
];

test.each(WIRES)(
  'a conversation about a recording goes on after it with $model, which takes its history, also in another engine',
  async ({ model, start, env }) => {
    const models = await start();
    onTestFinished(() => models.close());
    const app = await startApp({
      env: env(models.baseUrl),
      config: { model, transcriptionModel: 'demo', modelRetries: 0 },
    });
    const { id, socket } = await open(app);
    const merging = (speakers: string[], reason: string) => ({
      steps: [{ toolCalls: [{ name: 'merge_speakers', arguments: { speakers, reason } }] }],
    });
    models.script(
      merging(['A', 'nobody'], 'a guess'),
      merging(['A', 'C'], 'both speak of it'),
      { steps: [{ text: 'A demo.' }] },
      { steps: [{ text: 'I said: a demo.' }] },
      { steps: [{ text: 'Still a demo.' }] },
    );

    const { result } = await speak(socket, 'process', { speakers: 2, prompt: 'What is it?' });
    const second = await socket.run('prompt', { prompt: 'What did you say?' });
    await call('PUT', `${app.url}/api/sessions/${id}/engine`, { engine_type: 'ToolChatEngine' });
    const third = await socket.run('prompt', { prompt: 'And now?' });

    expect(models.refusals).toEqual([]);
    expect(result).toMatchObject({ mapping: { C: 'A' }, answer: { text: 'A demo.' } });
    expect(second).toMatchObject({ status: 'completed', result: { text: 'I said: a demo.' } });
    expect(third).toMatchObject({ status: 'completed', result: { text: 'Still a demo.' } });
  },
);

test('kill -9 while it listens, and again while it merges: the run goes on, and hears the same recording', async () => {
  const models = await startAnthropicServer();
  onTestFinished(() => models.close());
  const speech = await startTranscriptionServer();
  const [listening, thinking] = [speech.gate(), models.gate()];
  const data = await tempDir();
  const start = () =>
    startServer({
      LLMGINE_API_DATA_DIR: data,
      LLMGINE_API_MODEL: 'anthropic:claude',
      LLMGINE_API_TRANSCRIPTION_MODEL: 'openai-compatible:whisper-1',
      OPENAI_BASE_URL: speech.baseUrl,
      ANTHROPIC_API_KEY: 'sk-ant-test',
      ANTHROPIC_BASE_URL: models.baseUrl,
    });
  const merge = { name: 'merge_speakers', arguments: { speakers: ['A', 'C'], reason: 'the same host' } };
  const run_id = randomUUID();

  speech.script({ answer: INTERVIEW, gate: listening });
  const first = await start();
  const created = await call('POST', `${first.url}/api/sessions`, { engine_type: 'VoiceProcessingEngine' });
  const { session_id } = created.body;
  const file_id = await upload(first, session_id);
  const command = { command: 'process', parameters: { file_id, speakers: 2, prompt: 'Who?' }, run_id };
  const commands = `/api/sessions/${session_id}/commands`;
  await call('POST', first.url + commands, command, { prefer: 'respond-async' });
  await listening.reached;
  await first.kill('SIGKILL');

  models.script({ headersGate: thinking });
  const second = await start();
  await thinking.reached;
  await second.kill('SIGKILL');

  models.script({ steps: [{ toolCalls: [merge] }] }, { steps: [{ text: 'Ada and Ben.' }] });
  const third = await start();
  const { body } = await call('POST', third.url + commands, command);

  expect(body).toMatchObject({
    status: 'completed',
    result: { mapping: { A: 'A', B: 'B', C: 'A' }, answer: { text: 'Ada and Ben.' } },
  });
  expect(speech.requests.map(({ file }) => file.bytes.equals(RECORDING))).toEqual([true, true]);
  expect(models.requests).toHaveLength(3);
  expect(models.refusals).toEqual([]);
});

test('a transcription model that is not there stops the start, and says which setting it is', async () => {
  const start = (transcriptionModel: string) => startApp({ config: { transcriptionModel } });
  await expect(start('nobody:x')).rejects.toThrow(
    /transcriptionModel is "nobody:x".*no model provider "nobody"/,
  );
  await expect(start('openai:whisper-1')).rejects.toThrow(/OPENAI_API_KEY/);
});
