/** The kinds of settings. Each takes a value as code writes it or as text, and says in words what it allows. */
import { z } from 'zod';

/** `parse` gives the value, or undefined for what is not allowed. */
function setting<In, Out>(allowed: string, parse: (raw: unknown) => Out | undefined) {
  return z.custom<In>().transform((raw, context): Out => {
    const value = parse(raw);
    if (value !== undefined) return value;
    context.issues.push({ code: 'custom', message: allowed, input: raw });
    return z.NEVER;
  });
}

const TRUTH: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 'true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...[false, 'false', '0', 'no', 'off'].map((word) => [word, false] as const),
]);

export const truth = () =>
  setting<boolean | string, boolean>('true or false', (raw) =>
    TRUTH.get(typeof raw === 'string' ? raw.trim().toLowerCase() : raw),
  );

export const whole = (min: number, max: number) =>
  setting<number | string, number>(`a whole number from ${min} to ${max}`, (raw) => {
    const value = toNumber(raw);
    return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  });

export const seconds = (min: number, max: number) =>
  setting<number | string, number>(`seconds, from ${min} to ${max}`, (raw) => {
    const value = toNumber(raw);
    return value >= min && value <= max ? value : undefined;
  });

/** Decimal digits only: what `Number` takes besides (nothing, `true`, `0x10`, `1e9`) is a slip, not a wish. */
function toNumber(raw: unknown): number {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(raw) ? Number(raw) : Number.NaN;
}

export const text = (max: number) =>
  setting<string, string>(`a text of 1 to ${max} characters`, (raw) => {
    const value = typeof raw === 'string' ? raw.trim() : '';
    return value !== '' && value.length <= max ? value : undefined;
  });

export const matching = (pattern: RegExp, allowed: string) =>
  setting<string, string>(allowed, (raw) => {
    const value = typeof raw === 'string' ? raw.trim() : '';
    return pattern.test(value) ? value : undefined;
  });

export const oneOf = <const Options extends readonly string[]>(options: Options) =>
  setting<Options[number], Options[number]>(
    new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(options),
    (raw) => options.find((option) => option === (typeof raw === 'string' ? raw.trim().toLowerCase() : raw)),
  );

/** As text they are separated by commas. */
export const origins = () =>
  setting<readonly string[] | string, readonly string[]>(
    'origins like https://app.example.com, separated by commas',
    (raw) => {
      const items =
        typeof raw === 'string'
          ? raw
              .split(',')
              .map((item) => item.trim())
              .filter((item) => item !== '')
          : raw;
      return Array.isArray(items) && items.every(isOrigin) ? items : undefined;
    },
  );

/** As text its items are separated by commas. */
export const list = () =>
  setting<readonly string[] | string, readonly string[]>('texts, separated by commas', (raw) => {
    const items = typeof raw === 'string' ? raw.split(',').map((item) => item.trim()) : raw;
    if (!Array.isArray(items) || !items.every((item) => typeof item === 'string')) return undefined;
    return items.filter((item) => item !== '');
  });

function isOrigin(value: unknown): value is string {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value;
}

/** As text it is JSON. */
export const object = () =>
  setting<Readonly<Record<string, unknown>> | string, Readonly<Record<string, unknown>>>(
    'a JSON object',
    (raw) => {
      const value = typeof raw === 'string' ? fromJson(raw) : raw;
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? (value as Record<string, unknown>)
        : undefined;
    },
  );

function fromJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
