import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, type ModelProvider } from '@llmgine/api';
import { Gate, recordModel, replayModel, type ScriptedTurn, scriptedModel } from '@llmgine/api/testing';
import { describe, expect, test } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { ModelError } from '../../src/models/model-error.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { modelContract } from '../models/contract.ts';
import { RecordingSink } from '../models/recording-sink.ts';

const never = () => new AbortController().signal;
const ask = (text: string, more: Partial<ModelRequest> = {}): ModelRequest => ({
  messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
  ...more,
});
const newFile = async () => join(await tempDir(), 'deep', 'recording.jsonl');
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

async function answer(provider: ModelProvider, request: ModelRequest, name = 'x') {
  const sink = new RecordingSink();
  const finish = await provider.model(name).stream(request, sink, never());
  return { calls: sink.calls, metadatas: sink.metadatas, notices: sink.notices, said: sink.said, finish };
}

/** Records the answers to these requests, one after the other. */
async function record(turns: readonly ScriptedTurn[], ...requests: ModelRequest[]): Promise<string> {
  const file = await newFile();
  const provider = recordModel(scriptedModel(turns), file);
  for (const request of requests) await answer(provider, request).catch(() => undefined);
  return file;
}

const PIECES = Array.from({ length: 30 }, (_, n) => `piece ${n} `);
const HELLO = ask('Hello');
const replays = (turn: ScriptedTurn) => {
  // The contract wants a model at once; this one is made by the first call.
  const made = record([turn], HELLO).then((file) => replayModel(file, { speed: 0 }).model('x'));
  return {
    model: {
      id: 'scripted:x',
      stream: async (...call: Parameters<Awaited<typeof made>['stream']>) => (await made).stream(...call),
    },
    request: HELLO,
  };
};
const textScene = () => ({ scene: replays({ text: PIECES }), text: PIECES.join('') });

const OWN = 'a recording has no wire';
modelContract({
  name: 'replay',
  reasoning: () => ({
    scene: replays({ reasoning: ['I ', 'see'], text: 'Hi' }),
    reasoned: 'I see',
    next: 'text',
  }),
  text: textScene,
  burst: textScene,
  tools: () => ({
    scene: replays({ toolCalls: [{ name: 'a', arguments: { x: 1 } }, { name: 'b' }] }),
    calls: [
      { name: 'a', arguments: { x: 1 } },
      { name: 'b', arguments: {} },
    ],
  }),
  cut: () => replays('skipped'),
  usage: () => ({
    scene: replays({ text: 'Hi', usage: { input_tokens: 3, output_tokens: 2 } }),
    usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  }),
  refusing: () => replays({ text: 'I must not.', finishReason: 'content_filter' }),
  overloaded: () => replays({ error: new ModelError('the reason', { remedy: 'again' }) }),
  held: () => replays('skipped'),
  silent: () => replays('skipped'),
  failing: () => replays('skipped'),
  failingMidway: () => replays({ text: 'Hi', error: 'the reason' }),
  dropping: () => replays('skipped'),
  ending: () => replays('skipped'),
  garbled: () => replays('skipped'),
  skips: {
    cut: 'the contract asks for another limit than was recorded',
    held: 'see the stopped call below',
    silent: 'see the stopped call below',
    closed: OWN,
    failing: OWN,
    dropping: OWN,
    ending: OWN,
    garbled: OWN,
  },
});

/** Says one piece of everything that there is. */
const talkative: ModelProvider = {
  name: 'talkative',
  model: (name) => ({
    id: `talkative:${name}`,
    async stream(_request, sink) {
      sink.notice('One moment');
      sink.reasoning('I think');
      sink.metadata('reasoning', { talkative: { signature: 's1' } });
      sink.text('Hi');
      sink.toolCall({
        toolCallId: 'a',
        toolName: 't',
        arguments: { n: 1 },
        providerMetadata: { x: { y: 1 } },
      });
      return {
        finishReason: 'tool_calls',
        usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
        model: 'talkative:other',
      };
    },
  }),
};

describe('a recording', () => {
  test('is replayed as it was, with everything that a model can say', async () => {
    const file = await newFile();
    const live = await answer(recordModel(talkative, file), HELLO);

    const replay = replayModel(file, { speed: 0 });

    expect(replay.name).toBe('talkative');
    expect(replay.model('x').id).toBe('talkative:x');
    expect(await answer(replay, HELLO)).toEqual(live);
  });

  test('has the format that is documented', async () => {
    const file = await record([{ text: ['Hel', 'lo'] }], ask('Hello', { system: 'Be brief' }));

    const [header, call] = linesOf(file);

    expect(header).toEqual({ format: 'llmgine-model-recording', version: 1, provider: 'scripted' });
    const ms = expect.any(Number);
    expect(call).toEqual({
      call: 1,
      name: 'x',
      model: 'scripted:x',
      request: { system: 'Be brief', messages: HELLO.messages },
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      pieces: [
        [ms, 'text', 'Hel'],
        [ms, 'text', 'lo'],
      ],
      end: { ms, finish: { finishReason: 'stop', usage: null } },
    });
  });

  test('the default model has the id that it had', async () => {
    const file = await newFile();
    await answer(recordModel(scriptedModel(['Hi']), file), HELLO, '');

    expect(replayModel(file).model('').id).toBe('scripted:model');
  });

  test('fails as it failed', async () => {
    const limited = new ModelError('slow down', { retryAfter: 3, remedy: 'again' });
    const file = await record(
      [
        { text: 'Hal', error: limited },
        { error: new ApiError('BUDGET_EXCEEDED', 'no') },
        { error: new Error('boom') },
      ],
      ask('1'),
      ask('2'),
      ask('3'),
    );

    const replay = replayModel(file, { speed: 0 });

    await expect(answer(replay, ask('1'))).rejects.toMatchObject({
      code: 'MODEL_ERROR',
      message: 'slow down',
      retryAfter: 3,
      remedy: 'again',
    });
    await expect(answer(replay, ask('2'))).rejects.toMatchObject({ code: 'BUDGET_EXCEEDED', message: 'no' });
    await expect(answer(replay, ask('3'))).rejects.toThrow(/^boom$/);
  });

  test('a call that was stopped waits for being stopped again', async () => {
    const file = await newFile();
    const stop = new AbortController();
    const gate = new Gate();
    const live = recordModel(scriptedModel([{ text: 'Hal', after: gate }]), file)
      .model('x')
      .stream(HELLO, new RecordingSink(), stop.signal);
    await gate.reached;
    stop.abort(new Error('stop'));
    await expect(live).rejects.toThrow('stop');

    const sink = new RecordingSink();
    const again = new AbortController();
    const said = new Promise<void>((resolve) => {
      sink.onCall = resolve;
    });
    const replayed = replayModel(file, { speed: 0 }).model('x').stream(HELLO, sink, again.signal);
    await said;
    again.abort(new Error('again'));

    await expect(replayed).rejects.toThrow('again');
    expect(sink.said).toBe('Hal');
  });

  test('ids and times of messages do not count, what was said does', async () => {
    const message = (id: string, text: string) => ({
      messages: [
        {
          message_id: id,
          role: 'user' as const,
          run_id: id,
          parts: [{ type: 'text' as const, text }],
          created_at: id,
          metadata: { note: id },
        },
      ],
    });
    const file = await record(['Hi'], message('1', 'Hello'));

    await expect(answer(replayModel(file), message('2', 'Bye'))).rejects.toThrow(
      `${file} has another request as call 1: messages[0].parts[0].text was "Hello" and is "Bye"; record it again`,
    );
    expect((await answer(replayModel(file), message('2', 'Hello'))).said).toBe('Hi');
  });

  test.each<[string, Partial<ModelRequest>, string]>([
    ['a setting', { temperature: 1 }, 'temperature was 0 and is 1'],
    ['one that is not there any more', {}, 'temperature was 0 and is not there'],
    [
      'a tool',
      { temperature: 0, tools: [{ name: 'a', description: '', parameters: {} }] },
      'tools was not there and is [{"name":"a"',
    ],
  ])('says what differs: %s', async (_what, more, difference) => {
    const file = await record(['Hi'], ask('Hello', { temperature: 0 }));

    await expect(answer(replayModel(file), ask('Hello', more))).rejects.toThrow(difference);
  });

  test('says so when another model is asked, and when there are no calls left', async () => {
    const file = await record(['Hi'], HELLO);
    const replay = replayModel(file, { speed: 0 });

    await expect(answer(replay, HELLO, 'y')).rejects.toThrow('model was "scripted:x" and is "scripted:y"');
    await answer(replay, HELLO);
    await expect(answer(replay, HELLO)).rejects.toThrow(`${file} has 1 calls, and this is one more`);
  });

  test('a request that the author makes the same is the same', async () => {
    const file = await record(['Hi'], ask('Hello', { system: 'It is Monday' }));
    const normalize = (request: object) => ({ ...request, system: 'It is some day' });

    const { said } = await answer(
      replayModel(file, { speed: 0, normalize }),
      ask('Hello', { system: 'It is Tuesday' }),
    );

    expect(said).toBe('Hi');
  });

  test('equal requests are answered in their order, others in whatever order they come', async () => {
    const file = await record(['One', 'Two', 'Three'], HELLO, ask('Bye'), HELLO);
    const replay = replayModel(file, { speed: 0 });

    const said = [];
    for (const request of [ask('Bye'), HELLO, HELLO]) said.push((await answer(replay, request)).said);

    expect(said).toEqual(['Two', 'One', 'Three']);
  });

  test('calls side by side are each recorded whole', async () => {
    const file = await newFile();
    const gates = [new Gate(), new Gate()] as const;
    const models = scriptedModel([
      { text: 'One', after: gates[0] },
      { text: 'Two', after: gates[1] },
    ]);
    const provider = recordModel(models, file);
    const first = answer(provider, HELLO);
    await gates[0].reached;
    const second = answer(provider, HELLO);
    await gates[1].reached;
    gates[1].open();
    await second;
    gates[0].open();
    await first;

    const replay = replayModel(file, { speed: 0 });

    expect(linesOf(file).map(({ call }) => call)).toEqual([undefined, 2, 1]);
    expect((await answer(replay, HELLO)).said).toBe('One');
    expect((await answer(replay, HELLO)).said).toBe('Two');
  });

  test('keeps its timing, divided by the speed', async () => {
    const file = await newFile();
    const line = (pieces: unknown[], ms: number) => {
      const [header, call] = linesOf(file);
      writeFileSync(
        file,
        `${JSON.stringify(header)}\n${JSON.stringify({ ...call, pieces, end: { ...call.end, ms } })}\n`,
      );
    };
    await answer(recordModel(scriptedModel(['Hi']), file), HELLO);
    line([[200, 'text', 'Hi']], 400);
    const timeOf = async (speed: number) => {
      const began = performance.now();
      await answer(replayModel(file, { speed }), HELLO);
      return performance.now() - began;
    };

    // A timer may be late, but is not early by more than its resolution.
    expect(await timeOf(1)).toBeGreaterThan(390);
    expect(await timeOf(4)).toBeGreaterThan(95);
    expect(() => replayModel(file, { speed: -1 })).toThrow(TypeError);
  });

  test('there are no credentials in the file, and the request is still the same', async () => {
    const key = 'sk-live-0123456789abcdef';
    const request = ask(`My key is ${key}`, { system: `Authorization: Bearer ${key}` });
    const file = await record([{ text: `Yes, ${key}`, error: `refused ${key}` }], request);

    expect(readFileSync(file, 'utf8')).not.toContain(key);
    await expect(answer(replayModel(file, { speed: 0 }), request)).rejects.toThrow('refused [redacted]');
  });

  test('a new recording begins the file anew', async () => {
    const file = await newFile();
    await answer(recordModel(scriptedModel(['One']), file), HELLO);
    await answer(recordModel(scriptedModel(['Two']), file), HELLO);

    expect((await answer(replayModel(file, { speed: 0 }), HELLO)).said).toBe('Two');
    expect(linesOf(file)).toHaveLength(2);
  });

  test('a file that is missing, cut off, something else or from tomorrow is an error that says so', async () => {
    const file = await record(['Hi'], HELLO);
    const write = (text: string) => writeFileSync(file, text);

    expect(() => replayModel(`${file}.not`)).toThrow(/There is no recording .*recordModel/);
    appendFileSync(file, '{"call": 2, "pie');
    expect(() => replayModel(file)).toThrow(`${file}, line 3: this is no JSON`);
    write('{"hello": 1}\n');
    expect(() => replayModel(file)).toThrow('is no recording of a model');
    write('{"format": "llmgine-model-recording", "version": 2, "provider": "x"}\n');
    expect(() => replayModel(file)).toThrow('is a recording of version 2; this is for version 1');
    write('{"format": "llmgine-model-recording", "version": 1, "provider": "x"}\n{}\n');
    expect(() => replayModel(file)).toThrow('line 2: this is no call of a model');
  });

  test('a built-in provider is recorded by its name', async () => {
    const file = await newFile();
    await using provider = Object.assign(recordModel('demo', file), {
      [Symbol.asyncDispose]: () => provider.close(),
    });

    const live = await answer(provider, HELLO, 'fast');

    expect(await answer(replayModel(file, { speed: 0 }), HELLO, 'fast')).toEqual(live);
    expect(() => recordModel('opnai', file)).toThrow(
      /no built-in model provider "opnai"; there are: demo, openai/,
    );
  });
});
