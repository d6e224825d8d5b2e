/** What servers of the OpenAI wire answer to a recording, in our words. */
import type { Usage } from '@llmgine/protocol';
import { garbledError, providerError, type Redact } from './model-error.ts';
import type { Transcription, TranscriptSegment } from './transcription.ts';

/** Characters of a label. */
const MAX_LABEL = 100;

type Fields = Readonly<Record<string, unknown>>;

/** Reads the body of an answer. Throws `MODEL_ERROR` when it holds no transcription. */
export function parseTranscription(body: string, redact: Redact): Transcription {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw garbledError(error);
  }
  if (!isFields(answer)) throw garbledError();
  if (answer.error !== undefined && answer.error !== null) throw providerError(answer, redact);
  const segments = segmentsOf(answer.segments);
  const text = typeof answer.text === 'string' ? answer.text.trim() : undefined;
  if (text === undefined && segments.length === 0) throw garbledError();
  return {
    text: text ?? segments.map((segment) => segment.text).join(' '),
    language: languageCode(answer.language),
    duration: seconds(answer.duration) ?? segments.at(-1)?.end ?? null,
    segments,
    usage: usageOf(answer.usage),
  };
}

/** Servers leave out what they do not know: times, labels, or all of it. */
function segmentsOf(value: unknown): TranscriptSegment[] {
  const segments: TranscriptSegment[] = [];
  let at = 0;
  for (const segment of Array.isArray(value) ? value : []) {
    if (!isFields(segment) || typeof segment.text !== 'string') continue;
    const text = segment.text.trim();
    if (text === '') continue;
    const start = seconds(segment.start) ?? at;
    const end = Math.max(start, seconds(segment.end) ?? start);
    const speaker = labelOf(segment.speaker);
    segments.push({ start, end, text, ...(speaker === undefined ? {} : { speaker }) });
    at = end;
  }
  return segments;
}

function labelOf(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const label = String(value).replace(/\s+/g, ' ').trim().slice(0, MAX_LABEL);
  return label === '' ? undefined : label;
}

/** Some write numbers as text. */
function seconds(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
}

/** Recordings that are paid by their length have no tokens. */
function usageOf(value: unknown): Usage | null {
  if (!isFields(value)) return null;
  const [input, output] = [count(value.input_tokens), count(value.output_tokens)];
  if (input === undefined || output === undefined) return null;
  return {
    input_tokens: input,
    output_tokens: output,
    total_tokens: count(value.total_tokens) ?? input + output,
  };
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

let codes: ReadonlyMap<string, string> | undefined;

/** Whisper says `german` where others say `de`. A name that is none of English is left as it is. */
function languageCode(value: unknown): string | null {
  if (typeof value !== 'string' || value.trim() === '') return null;
  const language = value.trim().toLowerCase().slice(0, MAX_LABEL);
  codes ??= new Map(englishNames());
  return codes.get(language) ?? language;
}

function* englishNames(): Iterable<[string, string]> {
  const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  for (const first of letters) {
    for (const second of letters) {
      const name = names.of(first + second);
      // `iw` and `he` are both Hebrew: what stands for another code is not the code.
      if (name !== undefined && Intl.getCanonicalLocales(first + second)[0] === first + second) {
        yield [name.toLowerCase(), first + second];
      }
    }
  }
}
