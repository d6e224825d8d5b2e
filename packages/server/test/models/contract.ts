/**
 * What every model has to do, whatever it is made of. A subject brings a model for each scene; where it cannot play a
 * scene it says why, and the test is shown as skipped with that reason.
 */
import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/models/model-error.ts';
import type { Model, ModelRequest } from '../../src/models/types.ts';
import { RecordingSink } from './recording-sink.ts';

/** A key that a provider under test quotes in its errors. */
export const SECRET = 'sk-contract-0123456789abcdef';

export interface Scene {
  readonly model: Model;
  readonly request: ModelRequest;
}

/** A model in the middle of an answer that does not go on by itself. */
export interface HeldScene extends Scene {
  /** Resolves when the provider has got the request and stands still. */
  readonly reached: Promise<void>;
  /** Resolves when the provider has seen that nobody wants its answer any more. */
  readonly closed: Promise<void>;
}

export interface Subject {
  readonly name: string;
  /** Reasons with exactly `reasoned`, and then does something of the kind `next`. */
  reasoning(): { readonly scene: Scene; readonly reasoned: string; readonly next: 'text' | 'toolCall' };
  /** Says exactly `text`, in at least 20 pieces. */
  text(): { readonly scene: Scene; readonly text: string };
  /** Like `text`, but the provider sends all pieces at once. */
  burst(): { readonly scene: Scene; readonly text: string };
  /** Calls these tools in one answer. */
  tools(): { readonly scene: Scene; readonly calls: readonly { name: string; arguments: unknown }[] };
  /** Says at most three tokens of a longer answer because of `maxOutputTokens`. */
  cut(): Scene;
  /** Says `usage` with an answer. */
  usage(): { readonly scene: Scene; readonly usage: object };
  /** Refuses to answer, and says `I must not.` */
  refusing(): Scene;
  /** Says something and then nothing more. */
  held(): Scene & Partial<HeldScene>;
  /** Never says a thing. */
  silent(): Scene & Partial<HeldScene>;
  /** Fails with the status before it says anything; the provider's error quotes `SECRET`. */
  failing(status: number): Scene;
  /** Fails with an error object in the middle of the answer that quotes `SECRET`. */
  failingMidway(): Scene;
  /** Says in the stream, before anything else, that it is overloaded. */
  overloaded(): Scene;
  /** Breaks the connection in the middle. */
  dropping(): Scene;
  /** Ends in the middle without a word why. */
  ending(): Scene;
  /** Sends a chunk that is no JSON. */
  garbled(): Scene;
  /** Scenes it cannot play, with the reason. */
  readonly skips: Partial<Record<Exclude<keyof Subject, 'name' | 'skips'> | 'closed', string>>;
}

const never = () => new AbortController().signal;

export function modelContract(subject: Subject): void {
  const scene = (needs: keyof Subject['skips'], title: string, body: () => Promise<void>) => {
    const reason = subject.skips[needs];
    if (reason === undefined) test(title, body);
    else test.skip(`${title} (${reason})`, body);
  };

  describe(`model contract: ${subject.name}`, () => {
    scene('reasoning', 'streams reasoning before what comes of it', async () => {
      const { scene, reasoned, next } = subject.reasoning();
      const sink = new RecordingSink();

      await scene.model.stream(scene.request, sink, never());

      const kinds = sink.calls.map(([kind]) => kind);
      expect(sink.reasoned).toBe(reasoned);
      expect(kinds.filter((kind, n) => kind !== kinds[n - 1])).toEqual(['reasoning', next]);
    });

    scene('text', 'streams text in order, in pieces', async () => {
      const { scene, text } = subject.text();
      const sink = new RecordingSink();

      const finish = await scene.model.stream(scene.request, sink, never());

      expect(sink.said).toBe(text);
      expect(finish.finishReason).toBe('stop');
      expect(sink.calls.length).toBeGreaterThanOrEqual(20);
    });

    scene('tools', 'calls tools with whole, parsed arguments, in order', async () => {
      const { scene, calls } = subject.tools();
      const sink = new RecordingSink();

      const finish = await scene.model.stream(scene.request, sink, never());

      expect(
        sink.toolCalls.map(({ toolName, arguments: args }) => ({ name: toolName, arguments: args })),
      ).toEqual(calls);
      expect(new Set(sink.toolCalls.map(({ toolCallId }) => toolCallId)).size).toBe(calls.length);
      expect(finish.finishReason).toBe('tool_calls');
    });

    scene('cut', 'says that it stopped at the limit of tokens', async () => {
      const { model, request } = subject.cut();

      const finish = await model.stream({ ...request, maxOutputTokens: 3 }, new RecordingSink(), never());

      expect(finish.finishReason).toBe('length');
    });

    scene('usage', 'reports what the provider counted', async () => {
      const { scene, usage } = subject.usage();

      const finish = await scene.model.stream(scene.request, new RecordingSink(), never());

      expect(finish.usage).toEqual(usage);
    });

    scene('refusing', 'answers with a refusal, which is no error', async () => {
      const { model, request } = subject.refusing();
      const sink = new RecordingSink();

      const finish = await model.stream(request, sink, never());

      expect(finish.finishReason).toBe('content_filter');
      expect(sink.said).toBe('I must not.');
    });

    for (const kind of ['text', 'burst'] as const) {
      scene(kind, `puts nothing more while the sink is full, and loses nothing (${kind})`, async () => {
        const { scene, text } = subject[kind]();
        const sink = new RecordingSink();
        sink.isFull = (calls) => calls % 3 === 0;

        const finished = scene.model.stream(scene.request, sink, never());
        const seen: number[] = [];
        let running = true;
        const watch = finished.finally(() => {
          running = false;
        });
        while (running) {
          await Promise.race([sink.waiting, watch]);
          if (!running) break;
          // Two full turns of the event loop: whatever is on its way would arrive.
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
          seen.push(sink.calls.length);
          sink.empty();
        }

        await finished;
        expect(sink.said).toBe(text);
        expect(seen.length).toBeGreaterThanOrEqual(6);
        expect(seen).toEqual(seen.map((_, index) => (index + 1) * 3));
      });
    }

    scene('text', 'rejects with what the sink rejects with', async () => {
      const { scene } = subject.text();
      const sink = new RecordingSink();
      const broken = new Error('the log is gone');
      sink.isFull = () => true;
      sink.drain = () => Promise.reject(broken);

      await expect(scene.model.stream(scene.request, sink, never())).rejects.toBe(broken);

      expect(sink.calls.length).toBe(1);
    });

    scene('text', 'does not start when it is aborted already', async () => {
      const { scene } = subject.text();
      const sink = new RecordingSink();
      const reason = new Error('too late');

      await expect(scene.model.stream(scene.request, sink, AbortSignal.abort(reason))).rejects.toBe(reason);

      expect(sink.calls).toEqual([]);
    });

    for (const [kind, when] of [
      ['held', 'in the middle of an answer'],
      ['silent', 'before an answer'],
    ] as const) {
      scene(kind, `ends at once when it is aborted ${when}`, async () => {
        const { model, request } = subject[kind]();
        const sink = new RecordingSink();
        const abort = new AbortController();
        const reason = new Error('stop');
        const spoken = new Promise<void>((resolve) => {
          sink.onCall = resolve;
        });

        const finished = model.stream(request, sink, abort.signal);
        if (kind === 'held') await spoken;
        abort.abort(reason);

        await expect(finished).rejects.toBe(reason);
      });

      scene('closed', `ends the request of the provider when it is aborted ${when}`, async () => {
        const { model, request, reached, closed } = subject[kind]();
        const abort = new AbortController();

        const finished = model.stream(request, new RecordingSink(), abort.signal);
        await reached;
        abort.abort();

        await expect(finished).rejects.toBe(abort.signal.reason);
        await closed;
      });
    }

    scene('burst', 'is silent after it was aborted', async () => {
      const { scene } = subject.burst();
      const sink = new RecordingSink();
      const abort = new AbortController();
      const reason = new Error('stop');
      sink.onCall = () => {
        if (sink.calls.length === 2) abort.abort(reason);
      };

      await expect(scene.model.stream(scene.request, sink, abort.signal)).rejects.toBe(reason);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

      expect(sink.calls.length).toBe(2);
    });

    scene('text', 'ends when it is aborted while the sink is full', async () => {
      const { scene } = subject.text();
      const sink = new RecordingSink();
      const abort = new AbortController();
      sink.isFull = () => true;

      const finished = scene.model.stream(scene.request, sink, abort.signal);
      await sink.waiting;
      abort.abort();
      await expect(finished).rejects.toBe(abort.signal.reason);
      sink.empty();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

      expect(sink.calls.length).toBe(1);
    });

    for (const status of [400, 401, 403, 404, 429, 500, 503]) {
      scene('failing', `says what the provider said with ${status}, without the key`, async () => {
        const { model, request } = subject.failing(status);

        const error = await failure(model, request);

        expect(error.message).toMatch(new RegExp(`answered ${status}: .*the reason`));
        expect(error.retryAfter).toBe(status === 429 ? 7 : undefined);
        expect(error.remedy).toBe(status >= 429 ? 'again' : 'elsewhere');
      });
    }

    scene('overloaded', 'says that it may be asked again when the provider is overloaded', async () => {
      const { model, request } = subject.overloaded();

      const error = await failure(model, request);

      expect(error.message).toMatch(/the reason/);
      expect(error.remedy).toBe('again');
    });

    scene('failingMidway', 'says what the provider said in the middle of an answer', async () => {
      const { model, request } = subject.failingMidway();

      const error = await failure(model, request);

      expect(error.message).toMatch(/the reason/);
    });

    for (const kind of ['dropping', 'ending'] as const) {
      scene(kind, `says that the answer is not complete when the connection is ${kind}`, async () => {
        const { model, request } = subject[kind]();

        const error = await failure(model, request);

        expect(error.message).toMatch(/closed the connection before the answer was complete/);
        expect(error.remedy).toBe('again');
      });
    }

    scene('garbled', 'says that it did not understand', async () => {
      const { model, request } = subject.garbled();

      const error = await failure(model, request);

      expect(error.message).toMatch(/cannot be understood/);
      expect(error.remedy).toBe('elsewhere');
    });
  });
}

/** The error of a call that must fail: a `MODEL_ERROR` that is short and says nothing secret, and the sink is left alone after it. */
export async function failure(model: Model, request: ModelRequest): Promise<ModelError> {
  const sink = new RecordingSink();
  const error = await model.stream(request, sink, never()).then(
    () => expect.fail('the model did not fail'),
    (error: unknown) => error,
  );
  const calls = sink.calls.length;
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(sink.calls.length).toBe(calls);
  expect(error).toBeInstanceOf(ModelError);
  const failed = error as ModelError;
  expect(failed.code).toBe('MODEL_ERROR');
  expect(failed.message.length).toBeLessThan(400);
  expect(failed.message).not.toContain(SECRET);
  expect(failed.message).not.toMatch(/\n|\bat .*:\d+:\d+/);
  return failed;
}
