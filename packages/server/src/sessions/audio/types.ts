/** The names that recordings go by, and what their files say they are. */
import type { AudioType } from '@llmgine/protocol';

/** As browsers, programs and people call them. */
const NAMES: Readonly<Record<AudioType, readonly string[]>> = {
  'audio/wav': ['audio/x-wav', 'audio/wave', 'audio/vnd.wave'],
  'audio/mpeg': ['audio/mp3', 'audio/mpeg3', 'audio/x-mpeg-3', 'audio/x-mp3'],
  'audio/webm': ['video/webm'],
  'audio/ogg': ['application/ogg', 'audio/opus', 'audio/x-opus+ogg', 'audio/vorbis'],
  'audio/mp4': ['audio/m4a', 'audio/x-m4a', 'video/mp4'],
  'audio/flac': ['audio/x-flac'],
};
const TYPES: ReadonlyMap<string, AudioType> = new Map(
  Object.entries(NAMES).flatMap(([type, others]) =>
    [type, ...others].map((name) => [name, type as AudioType] as const),
  ),
);

/** Every name of a type that is taken. */
export const AUDIO_NAMES: readonly string[] = [...TYPES.keys()];

/** The kind of recording that somebody declares, with or without parameters; null when none of them is taken. */
export function declaredType(mimeType: string): AudioType | null {
  const [name = ''] = mimeType.split(';');
  return TYPES.get(name.trim().toLowerCase()) ?? null;
}

/** Bytes that tell what kind of file this is. */
export const HEAD_SIZE = 12;

/** The kind that a file says it is by its first bytes; null when it is none that is taken. */
export function kindOf(head: Uint8Array): AudioType | null {
  const text = Buffer.from(head.subarray(0, HEAD_SIZE)).toString('latin1');
  if (text.startsWith('RIFF')) return 'audio/wav';
  if (text.startsWith('OggS')) return 'audio/ogg';
  if (text.startsWith('fLaC')) return 'audio/flac';
  if (text.startsWith('\x1aE\xdf\xa3')) return 'audio/webm';
  if (text.startsWith('ftyp', 4)) return 'audio/mp4';
  // Who cuts a stream does not always cut it between two frames.
  return /\xff[\xe0-\xff]/.test(text) ? 'audio/mpeg' : null;
}

/** What is known of a file so far. */
export interface FoundFormat {
  readonly container?: string;
  readonly codec?: string;
  readonly hasAudio?: boolean;
  /** Seconds. */
  readonly duration?: number;
  /** Bits a second. */
  readonly bitrate?: number;
}

/** The kind of recording that a file is; null when it has no sound or is of no kind that is taken. */
export function foundType(found: FoundFormat, kind: AudioType | null): AudioType | null {
  const { container = '', codec, hasAudio = false } = found;
  if (!hasAudio || codec === undefined) return null;
  switch (container) {
    case 'WAVE':
      return 'audio/wav';
    case 'MPEG':
      return 'audio/mpeg';
    case 'EBML/webm':
      return 'audio/webm';
    case 'Ogg':
      return 'audio/ogg';
    case 'FLAC':
      return 'audio/flac';
  }
  // Its container has the name of whoever wrote it.
  return kind === 'audio/mp4' ? kind : null;
}
