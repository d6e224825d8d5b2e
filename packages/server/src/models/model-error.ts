/**
 * What a provider's failure looks like to people: one short line with the status and the provider's own words, and
 * nothing secret. Providers quote request headers and keys in their errors, so every text of theirs is redacted.
 */
import { STATUS_CODES } from 'node:http';
import { ApiError } from '@llmgine/protocol';

const MAX_TEXT = 300;
/** Longer ones are not searched for credentials. */
const MAX_SEARCHED = 16 * 1024;
/** Deep enough for what providers nest; a hostile body must not overflow the stack. */
const MAX_DEPTH = 5;
/** Shorter ones are placeholders such as `none` or `ollama`; taking them out would only garble the text. */
const MIN_SECRET = 8;

const CREDENTIALS = [
  /\bBearer\s+[^\s"',]+/gi,
  /\b(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx)[-_][\w*.-]{6,}/gi,
  /\bAIza[\w-]{10,}/g,
  /\beyJ[\w-]{8,}\.[\w.-]+/g,
  /(?<=:\/\/)[^\s/@]+@/g,
];
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go, a terminal would act on them
const CONTROL_OR_SPACE = /[\u0000-\u0020\u007f-\u009f]+/g;

/** Takes credentials out of a text. */
export type Redact = (text: string) => string;

/** @param secrets Texts that must never be shown; the usual shapes of keys and tokens are recognised besides. */
export function createRedact(secrets: readonly (string | undefined)[] = []): Redact {
  const known = secrets.filter((secret) => secret !== undefined && secret.length >= MIN_SECRET) as string[];
  return (text) => {
    let clean = text;
    for (const secret of known) clean = clean.replaceAll(secret, '[redacted]');
    for (const pattern of CREDENTIALS) clean = clean.replace(pattern, '[redacted]');
    return clean;
  };
}

/** The human part of what a provider sent as an error: `{error: {message}}` and its relatives. */
export function errorText(body: unknown, depth = 0): string | undefined {
  if (typeof body === 'string') return body.trim() === '' ? undefined : body;
  if (typeof body !== 'object' || body === null || depth === MAX_DEPTH) return undefined;
  if (Array.isArray(body)) return errorText(body[0], depth + 1);
  const { error, message, detail, msg } = body as Record<string, unknown>;
  for (const candidate of [error, message, detail, msg]) {
    const text = errorText(candidate, depth + 1);
    if (text !== undefined) return text;
  }
  return undefined;
}

function shorten(text: string): string {
  const line = text.replace(CONTROL_OR_SPACE, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}

/**
 * What else can help after a failure. `again`: the same call may succeed in a while. `elsewhere`: another model may answer
 * it. `nothing`: the request itself is refused, by whatever model.
 */
export type Remedy = 'again' | 'elsewhere' | 'nothing';

export interface ModelErrorOptions {
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
  /** Default `elsewhere`. */
  readonly remedy?: Remedy;
}

/** `MODEL_ERROR` of a provider, with what can be done about it. */
export class ModelError extends ApiError {
  readonly remedy: Remedy;

  constructor(text: string, { retryAfter, cause, remedy = 'elsewhere' }: ModelErrorOptions = {}) {
    super('MODEL_ERROR', text, { ...(retryAfter === undefined ? {} : { retryAfter }), cause });
    this.remedy = remedy;
  }
}

/** `MODEL_ERROR` with a text of ours. */
export function modelError(text: string, options: ModelErrorOptions = {}): ModelError {
  return new ModelError(text, options);
}

/** The provider sent an error object instead of, or in the middle of, an answer. */
export function providerError(body: unknown, redact: Redact): ModelError {
  const text = errorText(body);
  return modelError(
    text === undefined
      ? 'The model provider reported an error'
      : `The model provider reported an error: ${shorten(redact(text.slice(0, MAX_SEARCHED)))}`,
    { remedy: streamRemedy(body), retryAfter: bodyRetryAfter(body) },
  );
}

/** The provider answered with an HTTP status that is not 2xx. `body` as it came, maybe cut. */
export function httpError(
  status: number,
  body: string,
  redact: Redact,
  retryAfter: number | undefined,
): ModelError {
  const parsed = parseBody(body);
  const text = errorText(parsed) ?? STATUS_CODES[status];
  const said = text === undefined ? '' : `: ${shorten(redact(text.slice(0, MAX_SEARCHED)))}`;
  return modelError(`The model provider answered ${status}${said}`, {
    retryAfter: retryAfter ?? bodyRetryAfter(parsed),
    remedy: QUOTA.test(namesOf(parsed)) ? 'elsewhere' : statusRemedy(status),
  });
}

/** Too many requests, and failures of the server or of what is in front of it, pass; other answers stay the same. */
function statusRemedy(status: number): Remedy {
  return status === 408 || status === 409 || status === 429 || status >= 500 ? 'again' : 'elsewhere';
}

/** An error without a status of its own, for example within a stream, says in one field or another what it is. */
function streamRemedy(body: unknown): Remedy {
  const names = namesOf(body);
  if (QUOTA.test(names)) return 'elsewhere';
  const status = Number(/\b[45]\d\d\b/.exec(names)?.[0]);
  if (!Number.isNaN(status)) return statusRemedy(status);
  return PASSING.test(names) ? 'again' : 'elsewhere';
}

/** Out of money is no matter of time. */
const QUOTA = /insufficient_quota|billing|insufficient_balance/i;
const PASSING =
  /overload|rate.?limit|too_many|exhausted|unavailable|server_error|api_error|internal|timeout/i;

/** The names and numbers that an error goes by: providers put them into `type`, `code` or `status`. */
function namesOf(body: unknown, depth = 0): string {
  if (typeof body !== 'object' || body === null || depth === MAX_DEPTH) return '';
  const { error, data, type, code, status, statusCode } = body as Record<string, unknown>;
  const own = [type, code, status, statusCode].filter((name) => ['string', 'number'].includes(typeof name));
  return [...own, namesOf(error, depth + 1), namesOf(data, depth + 1)].join(' ');
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A page of HTML is a proxy talking to a browser: its status says more.
    return body.trimStart().startsWith('<') ? undefined : body;
  }
}

/** There was no connection, or none any more before an answer began. */
export function connectionError(error: Error): ModelError {
  const code = (error as NodeJS.ErrnoException).code;
  return modelError(`The model provider cannot be reached${code ? ` (${code})` : ''}`, {
    cause: error,
    remedy: 'again',
  });
}

export function droppedError(cause?: unknown): ModelError {
  return modelError('The model provider closed the connection before the answer was complete', {
    cause,
    remedy: 'again',
  });
}

export function garbledError(cause?: unknown): ModelError {
  return modelError('The model provider sent a chunk that cannot be understood', { cause });
}

export function compressedError(): ModelError {
  return modelError('The model provider sent a compressed answer, which it was not asked for');
}

export function isCompressed(headers: Headers): boolean {
  return !['', 'identity'].includes(String(headers['content-encoding'] ?? '').toLowerCase());
}

export function stallError(ms: number): ModelError {
  return modelError(`The model provider sent nothing for ${ms / 1000} s`);
}

/** A limit of ours, which is the same for every model. */
export function limitError(what: string, characters: number): ModelError {
  return modelError(`The model sent more than ${characters} characters of ${what}`, { remedy: 'nothing' });
}

export function closedError(): ModelError {
  return modelError('The model provider is closed', { remedy: 'nothing' });
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Whole seconds from `Retry-After` (seconds or a date) or `retry-after-ms`; names of headers in lower case. */
export function retryAfterSeconds(headers: Headers, now = Date.now()): number | undefined {
  const milliseconds = positive(headers['retry-after-ms']);
  if (milliseconds !== undefined) return Math.ceil(milliseconds / 1000);
  const seconds = positive(headers['retry-after']);
  if (seconds !== undefined) return Math.ceil(seconds);
  const date = Date.parse(String(headers['retry-after'] ?? ''));
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

/** Google says it in the body: `{"@type": "….RetryInfo", "retryDelay": "34s"}`, rounded up here. */
function bodyRetryAfter(body: unknown): number | undefined {
  const { error, data } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const { details } = (error ?? data ?? body ?? {}) as Record<string, unknown>;
  if (!Array.isArray(details)) return undefined;
  for (const detail of details) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(String(detail?.retryDelay))?.[1];
    if (seconds !== undefined) return Math.ceil(Number(seconds));
  }
  return undefined;
}

function positive(header: Headers[string]): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const value = Number(header);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
