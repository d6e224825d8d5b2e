/** The contract of models that turn speech into text. */
import type { Usage } from '@llmgine/protocol';

export interface AudioInput {
  readonly mimeType: string;
  /** With an extension that fits the type: some providers go by it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Seconds, where the file tells; null or absent where it does not. */
  readonly duration?: number | null;
  read(): AsyncIterable<Uint8Array>;
}

export interface TranscriptionRequest {
  readonly audio: AudioInput;
  /** ISO 639-1, for example `de`. Default: the model finds out. */
  readonly language?: string;
  /** Names and terms that occur. */
  readonly prompt?: string;
}

export interface TranscriptSegment {
  /** Seconds from the beginning. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** The model's label of who speaks; absent when it does not tell voices apart. */
  readonly speaker?: string;
}

export interface Transcription {
  readonly text: string;
  readonly language: string | null;
  /** Seconds. */
  readonly duration: number | null;
  readonly segments: readonly TranscriptSegment[];
  /** As the provider counted; null when it did not say. */
  readonly usage: Usage | null;
}

export interface TranscriptionModel {
  /** `provider:model`. */
  readonly id: string;
  /** Rejects with `MODEL_ERROR`, and with the signal's reason, at once, when it aborts. */
  transcribe(request: TranscriptionRequest, signal: AbortSignal): Promise<Transcription>;
}
