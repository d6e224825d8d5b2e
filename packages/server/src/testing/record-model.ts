import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { APIConfig } from '../config.ts';
import { builtinProviders } from '../models/builtin-providers.ts';
import type { Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from '../models/types.ts';
import { comparable, digestOf, withoutCredentials } from './comparable-request.ts';
import {
  FORMAT,
  type RecordedCall,
  type RecordedEnd,
  type RecordedPiece,
  type RecordingHeader,
  toRecordedError,
  VERSION,
} from './recording.ts';

export interface RecordingModel extends ModelProvider {
  /** Ends what it has opened itself: the connections of a built-in provider. Idempotent. */
  close(): Promise<void>;
}

/**
 * A provider that answers like the given one, and writes every call of its models into a file, for `replayModel`: the
 * request, each piece with its time, and how it ended. The first call begins the file anew; a call is a line of it, written
 * when the call has ended. A file belongs to one recorder. Credentials are no part of a request, and texts that look like one are taken out; everything
 * else that was said is in the file. What turns speech into text is not recorded.
 *
 * @param provider One of yours, or the name of a built-in one such as `openai`, which takes its key from the environment.
 */
export function recordModel(provider: ModelProvider | string, file: string): RecordingModel {
  const { source, close } =
    typeof provider === 'string' ? builtin(provider) : { source: provider, close: none };
  const tape = new Tape(file, source.name);
  return {
    ...(source.transcriptionModel
      ? { transcriptionModel: (name: string) => transcriptionOf(source, name) }
      : {}),
    name: source.name,
    model: (name) => recorded(source.model(name), name, tape),
    close,
  };
}

const none = async () => {};

function builtin(name: string): { source: ModelProvider; close: () => Promise<void> } {
  const { all, close } = builtinProviders(new APIConfig(), true);
  const found = all.find(({ provider }) => provider.name === name);
  if (found) return { source: found.provider, close };
  const names = all.map(({ provider }) => provider.name).join(', ');
  throw new TypeError(`There is no built-in model provider ${JSON.stringify(name)}; there are: ${names}`);
}

function transcriptionOf(source: ModelProvider, name: string) {
  if (!source.transcriptionModel) throw new TypeError(`${source.name} turns no speech into text`);
  return source.transcriptionModel(name);
}

function recorded(model: Model, name: string, tape: Tape): Model {
  return {
    id: model.id,
    async stream(request, sink, signal) {
      const take = tape.begin(name, model.id, request);
      try {
        const finish = await model.stream(request, take.listen(sink), signal);
        take.end({ finish });
        return finish;
      } catch (error) {
        take.end(signal.aborted ? { aborted: true } : { error: toRecordedError(error, withoutCredentials) });
        throw error;
      }
    },
  };
}

/** The file. Written at once and whole lines only, so that a test that is killed leaves a file that can be read. */
class Tape {
  readonly #file: string;
  readonly #provider: string;
  #calls = 0;

  constructor(file: string, provider: string) {
    this.#file = file;
    this.#provider = provider;
  }

  begin(name: string, model: string, request: ModelRequest): Take {
    if (this.#calls === 0) {
      const header: RecordingHeader = { format: FORMAT, version: VERSION, provider: this.#provider };
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileSync(this.#file, `${JSON.stringify(header)}\n`);
    }
    const asked = comparable(request);
    const call = { call: ++this.#calls, name, model, request: asked, digest: digestOf(model, asked) };
    return new Take(call, (line) => appendFileSync(this.#file, `${JSON.stringify(line)}\n`));
  }
}

type BeginOfCall = Omit<RecordedCall, 'pieces' | 'end'>;
type WithoutTime<T> = T extends unknown ? Omit<T, 'ms'> : never;

/** One call. */
class Take {
  readonly #call: BeginOfCall;
  readonly #write: (call: RecordedCall) => void;
  readonly #pieces: RecordedPiece[] = [];
  readonly #began = performance.now();

  constructor(call: BeginOfCall, write: (call: RecordedCall) => void) {
    this.#call = call;
    this.#write = write;
  }

  listen(sink: ModelSink): ModelSink {
    const pieces = this.#pieces;
    const now = () => this.#now();
    return {
      text: (delta) => {
        pieces.push([now(), 'text', delta]);
        return sink.text(delta);
      },
      reasoning: (delta) => {
        pieces.push([now(), 'reasoning', delta]);
        return sink.reasoning(delta);
      },
      toolCall: (call) => {
        pieces.push([now(), 'tool_call', call]);
        return sink.toolCall(call);
      },
      metadata: (kind, metadata) => {
        pieces.push([now(), 'metadata', kind, metadata]);
        sink.metadata(kind, metadata);
      },
      notice: (text) => {
        pieces.push([now(), 'notice', text]);
        sink.notice(text);
      },
      drain: () => sink.drain(),
    };
  }

  end(end: WithoutTime<RecordedEnd> & { readonly finish?: ModelFinish }): void {
    const pieces = withoutCredentials(this.#pieces);
    this.#write({ ...this.#call, pieces, end: { ms: this.#now(), ...end } as RecordedEnd });
  }

  #now(): number {
    return Math.round(performance.now() - this.#began);
  }
}
