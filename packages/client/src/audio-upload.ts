import type { AudioAccepted, CommandAccepted } from '@llmgine/protocol/wire';
import { type AudioSource, sendAudio } from './audio.ts';
import { LlmgineError } from './errors.ts';
import { uuid } from './ids.ts';
import type { RunHandle } from './run.ts';
import type { CommandOptions } from './session.ts';
import type { SessionCore } from './session-core.ts';

export interface AudioOptions extends CommandOptions {
  readonly mimeType: string;
  /** A hint; the formats that are taken say it themselves. */
  readonly sampleRate?: number;
  /** Runs with the recording as `parameters.file_id`. */
  readonly command?: string;
  readonly parameters?: object;
}

export interface AudioSent {
  readonly file: AudioAccepted;
  /** Of the command; null where there was none. */
  readonly run: RunHandle | null;
}

/** What it needs of the session. */
export interface AudioHost {
  connected(signal: AbortSignal | undefined): Promise<void>;
  handle(runId: string, signal: AbortSignal | undefined): RunHandle;
}

/** One recording on its way: begun, sent, ended. */
export class AudioUpload {
  readonly #core: SessionCore;
  readonly #host: AudioHost;

  constructor(core: SessionCore, host: AudioHost) {
    this.#core = core;
    this.#host = host;
  }

  /** One at a time. */
  async send(recording: AudioSource, options: AudioOptions): Promise<AudioSent> {
    const core = this.#core;
    const { mimeType, sampleRate, signal } = options;
    await this.#host.connected(signal);
    const { generation } = core;
    const output = {
      get bufferedAmount() {
        return core.connection.bufferedAmount;
      },
      send: (bytes: Uint8Array<ArrayBuffer>) => core.sendBytes(bytes, generation),
    };
    // It is answered only when it fails: then the rest need not be sent.
    const refused = new AbortController();
    const over = new AbortController();
    const begin = { mime_type: mimeType, ...(sampleRate === undefined ? {} : { sample_rate: sampleRate }) };
    core.request('audio_begin', begin, { repeatable: false, signal: over.signal }).catch((error: unknown) => {
      if (!over.signal.aborted) refused.abort(error);
    });
    const stop = signal ? AbortSignal.any([signal, refused.signal]) : refused.signal;
    try {
      const isWhole = await sendAudio(recording, output, stop);
      if (!isWhole) throw new LlmgineError('CONNECTION_LOST', 'The connection was lost during the recording');
    } catch (error) {
      over.abort();
      if (refused.signal.aborted) throw refused.signal.reason;
      if (core.generation === generation) await this.#discard();
      throw error;
    }
    try {
      return await this.#end(options);
    } catch (error) {
      // Both are answered with the same when the recording was refused.
      throw refused.signal.aborted ? refused.signal.reason : error;
    } finally {
      over.abort();
    }
  }

  async #end(options: AudioOptions): Promise<AudioSent> {
    const { command, parameters = {}, runId = uuid(), onConflict = 'queue', signal } = options;
    const run = command === undefined ? null : this.#host.handle(runId, signal);
    const feed = run && this.#core.follow(runId);
    const data = command === undefined ? {} : { command, parameters, run_id: runId, on_conflict: onConflict };
    const replies: { file?: AudioAccepted } = {};
    try {
      const file = await this.#core.request<AudioAccepted>('audio_end', data, {
        repeatable: false,
        settle: (reply) => {
          if (reply.type === 'audio_accepted') replies.file = reply.data as AudioAccepted;
          else if (reply.type === 'command_accepted') feed?.accept(reply.data as CommandAccepted);
          return feed && !feed.isAccepted ? undefined : replies.file;
        },
      });
      return { file, run };
    } catch (error) {
      feed?.fail(error);
      throw error;
    }
  }

  /** What was begun and will not be ended would be in the way of the next one. */
  async #discard(): Promise<void> {
    try {
      const file = await this.#core.request<AudioAccepted>('audio_end', {}, { repeatable: false });
      await this.#core.forgetFile(file.file_id);
    } catch {
      // It was no whole recording, so it was not taken; or the connection is gone, and with it what was begun.
    }
  }
}
