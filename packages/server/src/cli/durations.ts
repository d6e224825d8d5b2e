import { ApiError } from '@llmgine/protocol';

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^(\d{1,6})([smhd])$/;

/** Seconds of `90s`, `30m`, `12h` or `7d`; undefined for anything else. */
export function secondsOf(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** Throws `VALIDATION_ERROR`. */
export function readDuration(option: string, text: string): number {
  const seconds = secondsOf(text);
  if (seconds !== undefined) return seconds;
  throw new ApiError(
    'VALIDATION_ERROR',
    `${option} is ${JSON.stringify(text)}, but must be like 90s, 30m, 12h or 7d`,
  );
}

/** A moment, as ISO 8601, of an option that is one, or a time from now on. Throws `VALIDATION_ERROR`. */
export function readMoment(option: string, text: string): string {
  const seconds = secondsOf(text);
  const at = seconds === undefined ? Date.parse(text) : Date.now() + seconds * 1000;
  const moment = new Date(at);
  if (!Number.isNaN(moment.getTime())) return moment.toISOString();
  throw new ApiError(
    'VALIDATION_ERROR',
    `${option} is ${JSON.stringify(text)}, but must be like 90d or 2030-01-31`,
  );
}
