/**
 * The file of a recording, in JSON Lines. The first line says what it is:
 *
 *     {"format": "llmgine-model-recording", "version": 1, "provider": "openai"}
 *
 * and each other one is a call of a model:
 *
 *     {"call": 1, "name": "gpt-5-mini", "model": "openai:gpt-5-mini", "request": {…}, "digest": "…",
 *      "pieces": [[412, "text", "Hel"], [430, "tool_call", {…}], [431, "metadata", "text", {…}], [9, "notice", "…"]],
 *      "end": {"ms": 440, "finish": {…}}}
 *
 * `call` counts from 1 in the order in which the calls began; lines are in the order in which they ended. `name` is what
 * was asked for, `model` the id that it has. `request` is what `comparable` makes of it, `digest` the SHA-256 of its
 * canonical JSON. The numbers of the pieces are milliseconds since the call began. `end` has `finish`, or the `error`, or
 * `aborted: true` of a call that was stopped before its end.
 */
import { readFileSync } from 'node:fs';
import { ApiError, ERRORS, type ErrorCode, type JsonObject } from '@llmgine/protocol';
import { ModelError, type Remedy } from '../models/model-error.ts';
import type { ModelFinish, ModelToolCall } from '../models/types.ts';

export const FORMAT = 'llmgine-model-recording';
export const VERSION = 1;

export interface RecordingHeader {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly provider: string;
}

export type RecordedPiece =
  | readonly [ms: number, kind: 'text' | 'reasoning' | 'notice', text: string]
  | readonly [ms: number, kind: 'tool_call', call: ModelToolCall]
  | readonly [ms: number, kind: 'metadata', of: 'text' | 'reasoning', metadata: JsonObject];

export interface RecordedError {
  /** Null for an error that is none of the table. */
  readonly code: string | null;
  readonly message: string;
  readonly retry_after?: number;
  readonly remedy?: Remedy;
}

export type RecordedEnd = { readonly ms: number } & (
  | { readonly finish: ModelFinish }
  | { readonly error: RecordedError }
  | { readonly aborted: true }
);

export interface RecordedCall {
  readonly call: number;
  readonly name: string;
  readonly model: string;
  readonly request: JsonObject;
  readonly digest: string;
  readonly pieces: readonly RecordedPiece[];
  readonly end: RecordedEnd;
}

export interface Recording {
  readonly provider: string;
  /** In the order in which they began. */
  readonly calls: readonly RecordedCall[];
}

/** Throws an `Error` that names the file and the line when it is not there, cut off, or something else. */
export function readRecording(file: string): Recording {
  const lines = readText(file).split('\n');
  if (lines.at(-1) === '') lines.pop();
  const [header, ...calls] = lines.map((line, n) => parseLine(file, line, n + 1));
  const { format, version, provider } = (header ?? {}) as Partial<Record<keyof RecordingHeader, unknown>>;
  if (format !== FORMAT || typeof provider !== 'string')
    throw new Error(`${file} is no recording of a model`);
  if (version !== VERSION) {
    throw new Error(`${file} is a recording of version ${String(version)}; this is for version ${VERSION}`);
  }
  for (const [n, call] of calls.entries()) {
    if (isCall(call)) continue;
    throw new Error(`${file}, line ${n + 2}: this is no call of a model`);
  }
  return { provider, calls: (calls as RecordedCall[]).sort((a, b) => a.call - b.call) };
}

function isCall(value: unknown): value is RecordedCall {
  const { call, model, request, pieces, end } = (value ?? {}) as Partial<RecordedCall>;
  return (
    typeof call === 'number' &&
    typeof model === 'string' &&
    typeof request === 'object' &&
    Array.isArray(pieces) &&
    typeof end === 'object'
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`There is no recording ${file}: make it with recordModel first`, { cause: error });
  }
}

function parseLine(file: string, line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(`${file}, line ${number}: this is no JSON; record it again`, { cause: error });
  }
}

/** @param redact Takes out what must not be in a file. */
export function toRecordedError(error: unknown, redact: (text: string) => string): RecordedError {
  const message = redact(error instanceof Error ? error.message : String(error));
  if (!(error instanceof ApiError)) return { code: null, message };
  return {
    code: error.code,
    message,
    ...(error.retryAfter === undefined ? {} : { retry_after: error.retryAfter }),
    ...(error instanceof ModelError ? { remedy: error.remedy } : {}),
  };
}

export function toError({ code, message, retry_after: retryAfter, remedy }: RecordedError): Error {
  if (remedy !== undefined) return new ModelError(message, { retryAfter, remedy });
  if (code === null || !Object.hasOwn(ERRORS, code)) return new Error(message);
  return new ApiError(code as ErrorCode, message, retryAfter === undefined ? {} : { retryAfter });
}
