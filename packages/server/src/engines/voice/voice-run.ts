import { randomUUID } from 'node:crypto';
import type { Message, MessagePart } from '@llmgine/protocol';
import type { TranscriptionModel } from '../../models/transcription.ts';
import type { Model } from '../../models/types.ts';
import type { EngineContext } from '../types.ts';
import type { VoiceConfig } from './config.ts';
import { keep, readable, type Transcript, transcriptOf } from './transcript.ts';

/**
 * What a message of this engine is, in its metadata: what was heard, a step of the merge, the transcript after it, a question
 * about it, its answer.
 */
export type VoiceMark = 'transcript' | 'merge' | 'merged' | 'question' | 'answer';

/** One run, with what it has done already, maybe in a process that is gone. */
export class VoiceRun {
  readonly context: EngineContext;
  readonly config: VoiceConfig;
  readonly model: Model;
  readonly transcriptionModel: TranscriptionModel;
  readonly #past: readonly Message[];
  #history: Promise<readonly Message[]> | undefined;
  #steps: number;

  private constructor(
    context: EngineContext,
    engine: Pick<VoiceRun, 'config' | 'model' | 'transcriptionModel'>,
    past: readonly Message[],
  ) {
    this.context = context;
    this.config = engine.config;
    this.model = engine.model;
    this.transcriptionModel = engine.transcriptionModel;
    this.#past = past;
    this.#steps = this.#past.filter(({ metadata }) => metadata.model !== undefined).length;
  }

  static async open(
    context: EngineContext,
    engine: Pick<VoiceRun, 'config' | 'model' | 'transcriptionModel'>,
  ): Promise<VoiceRun> {
    if (context.attempt === 1) return new VoiceRun(context, engine, []);
    const history = await context.history();
    return new VoiceRun(
      context,
      engine,
      history.filter(({ run_id }) => run_id === context.runId),
    );
  }

  /** The conversation, read when it is needed: transcripts are long. */
  history(): Promise<readonly Message[]> {
    this.#history ??= this.context.history();
    return this.#history;
  }

  /** The number of the step that begins. */
  nextStep(): number {
    return ++this.#steps;
  }

  /** What this run has left of the kind, in order. */
  done(mark: VoiceMark): readonly Message[] {
    return this.#past.filter(({ metadata }) => metadata.voice === mark);
  }

  /** Whether the tools that this message calls have answered. */
  isAnswered(message: Message): boolean {
    const at = this.#past.indexOf(message);
    return at !== -1 && this.#past[at + 1]?.role === 'tool';
  }

  /** The transcript that the run has kept already; null when it has not. */
  kept(mark: 'transcript' | 'merged'): Transcript | null {
    const [message] = this.done(mark);
    return message ? transcriptOf(message) : null;
  }

  /** Makes a transcript part of the conversation. */
  keepTranscript(mark: 'transcript' | 'merged', transcript: Transcript, model?: string): void {
    this.emitMessage('assistant', [{ type: 'text', text: readable(transcript) }], {
      voice: mark,
      transcript: keep(transcript),
      ...(model === undefined ? {} : { model }),
    });
  }

  /** A message that is there at once: nobody would gain by its pieces. */
  emitMessage(role: Message['role'], parts: MessagePart[], metadata: Message['metadata']): Message {
    const message: Message = {
      message_id: `msg_${randomUUID()}`,
      role,
      run_id: this.context.runId,
      parts,
      created_at: new Date().toISOString(),
      metadata,
    };
    this.context.emit({ event_type: 'message_completed', payload: message });
    return message;
  }

  status(text: string): void {
    this.context.emit({ event_type: 'status', payload: { text } });
  }
}
