import type { SpokenSegment } from './speakers.ts';

/** Characters of one line, where not everything fits. */
const MAX_LINE = 400;
const GAP = '…';

/**
 * A transcript as lines that people and models read, in at most about so many characters. Of one that is longer, every
 * speaker gets the same share, in lines from all over what they say, so that each can still be told by how they speak.
 */
export function transcriptLines(segments: readonly SpokenSegment[], limit: number): string {
  const lines = segments.map(lineOf);
  if (lengthOf(lines) <= limit) return lines.join('\n');
  const voices = voicesOf(segments);
  const share = Math.max(Math.floor(limit / voices.length), 1);
  const kept = new Set(voices.flatMap((own) => spread(own, lines, share)));
  const shown: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (kept.has(at)) shown.push(cut(line, share));
    else if (shown.at(-1) !== GAP) shown.push(GAP);
  }
  return shown.join('\n');
}

/** One line: what is said cannot look like a line of ours. */
export function lineOf({ start, speaker, text }: SpokenSegment): string {
  const time = start === undefined ? '' : `[${clock(start)}] `;
  const who = speaker === undefined ? '' : `${speaker}: `;
  return `${time}${who}${text.replace(/\s+/g, ' ').trim()}`;
}

export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}

/** The places of what each speaker says. What nobody is known to say is a voice only where there is no other. */
function voicesOf(segments: readonly SpokenSegment[]): readonly (readonly number[])[] {
  const voices = new Map<string | undefined, number[]>();
  for (const [at, { speaker }] of segments.entries()) {
    const own = voices.get(speaker);
    if (own) own.push(at);
    else voices.set(speaker, [at]);
  }
  if (voices.size > 1) voices.delete(undefined);
  return [...voices.values()];
}

/** As many of them as fit, as evenly as they go. The first one always fits. */
function spread(own: readonly number[], lines: readonly string[], share: number): readonly number[] {
  const sizes = own.map((at) => cut(lines[at] ?? '', share).length + GAP.length + 2);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const stride = Math.max(total / share, 1);
  const kept: number[] = [];
  let used = 0;
  for (const [n, at] of own.entries()) {
    if (n > 0 && Math.floor(n / stride) === Math.floor((n - 1) / stride)) continue;
    if (n > 0 && used + (sizes[n] ?? 0) > share) continue;
    used += sizes[n] ?? 0;
    kept.push(at);
  }
  return kept;
}

function cut(line: string, share: number): string {
  const most = Math.min(MAX_LINE, share);
  return line.length > most ? `${line.slice(0, most - 1)}${GAP}` : line;
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
