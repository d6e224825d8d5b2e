import type { SessionFile } from '../types.ts';

/** The first of each is what a name gets that has none of them. */
const EXTENSIONS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/wav|wave/, ['wav']],
  [/mpeg|mp3/, ['mp3', 'mpga', 'mpeg']],
  [/webm/, ['webm']],
  [/ogg|opus|vorbis/, ['ogg', 'oga', 'opus']],
  [/mp4|m4a|aac/, ['m4a', 'mp4']],
  [/flac/, ['flac']],
];
const MAX_NAME = 200;

/** What a recording is called before a provider: with an extension that fits its type, since some go by it. */
export function audioName({ name, mimeType }: Pick<SessionFile, 'name' | 'mimeType'>): string {
  const base = (name ?? 'recording').replace(/^.*[/\\]/s, '').slice(-MAX_NAME) || 'recording';
  const [, fitting] = EXTENSIONS.find(([type]) => type.test(mimeType)) ?? [];
  if (fitting === undefined) return base;
  const extension = /\.([a-z0-9]{1,5})$/i.exec(base)?.[1]?.toLowerCase();
  return extension !== undefined && fitting.includes(extension) ? base : `${base}.${fitting[0]}`;
}
