import { ApiError, EXPORT_VERSION, type ImportLine, importLineSchema } from '@llmgine/protocol';
import { parseWith } from '../../validation.ts';
import { hasMoreValues } from './value-count.ts';

/** Their ids are held in memory to find those that come twice. */
const MAX_MESSAGES = 100_000;
/** Of a line: nobody else is answered while they are checked. */
const MAX_VALUES = 100_000;
/** Of a message, for the same reason: each that is wrong is an error with its place. */
const MAX_PARTS = 2000;

type LineOf<Type extends ImportLine['type']> = Extract<ImportLine, { type: Type }>;
export type ImportedSessionLine = LineOf<'session'>;
export type ImportedMessageLine = LineOf<'message'>;

/** Checks the lines of an export one by one: what each says, their order, and that none is missing. */
export class ImportLines {
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  readonly #ids = new Set<string>();
  #last: ImportLine['type'] | null = null;
  #events = 0;

  get messages(): number {
    return this.#ids.size;
  }

  /**
   * What a line says that has something to be kept; null for what has not. Throws `INVALID_JSON` and `VALIDATION_ERROR`,
   * which name the line.
   */
  read(bytes: Uint8Array, number: number): ImportedSessionLine | ImportedMessageLine | null {
    if (hasMoreValues(bytes, MAX_VALUES)) throw wrong(number, '', `has more than ${MAX_VALUES} values`);
    const text = this.#decode(bytes, number);
    if (text.trim() === '') return null;
    const line = parseLine(text, number);
    this.#checkOrder(line, number);
    this.#last = line.type;
    switch (line.type) {
      case 'session':
        return line;
      case 'message':
        if (this.#ids.has(line.message_id)) throw wrong(number, 'message_id', 'comes twice');
        this.#ids.add(line.message_id);
        if (this.#ids.size > MAX_MESSAGES) throw wrong(number, '', `is beyond ${MAX_MESSAGES} messages`);
        return line;
      case 'event':
        this.#events++;
        return null;
      case 'end':
        this.#checkCounts(line, number);
        return null;
    }
  }

  /** Throws `VALIDATION_ERROR` when lines are missing. */
  end(): void {
    if (this.#last === 'end') return;
    throw new ApiError(
      'VALIDATION_ERROR',
      this.#last === null ? 'The file is empty' : 'The file was cut off: its last line must be of type "end"',
    );
  }

  #decode(bytes: Uint8Array, number: number): string {
    try {
      return this.#utf8.decode(bytes);
    } catch {
      throw wrong(number, '', 'is not UTF-8');
    }
  }

  #checkOrder({ type }: ImportLine, number: number): void {
    if (this.#last === null && type !== 'session') throw wrong(number, 'type', 'must be "session" at first');
    if (this.#last !== null && type === 'session') throw wrong(number, 'type', 'is "session" once more');
    if (this.#last === 'event' && type === 'message') {
      throw wrong(number, 'type', 'is "message" behind an event');
    }
    if (this.#last === 'end') throw wrong(number, '', 'comes behind the end');
  }

  #checkCounts({ messages, events }: LineOf<'end'>, number: number): void {
    if (messages !== this.messages) {
      throw wrong(number, 'messages', `is ${messages}, but ${this.messages} came before it`);
    }
    if (events !== this.#events) {
      throw wrong(number, 'events', `is ${events}, but ${this.#events} came before it`);
    }
  }
}

function parseLine(text: string, number: number): ImportLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ApiError('INVALID_JSON', `Line ${number} is not JSON`);
  }
  const version = isSession(json) ? json.version : EXPORT_VERSION;
  if (typeof version === 'number' && version > EXPORT_VERSION) {
    throw wrong(
      number,
      'version',
      `is ${version}; this server reads exports up to version ${EXPORT_VERSION}`,
    );
  }
  if (partsOf(json) > MAX_PARTS) throw wrong(number, 'parts', `are more than ${MAX_PARTS}`);
  return parseWith(importLineSchema, json, `Line ${number}`, `line ${number}`);
}

function isSession(json: unknown): json is { readonly version?: unknown } {
  return typeof json === 'object' && json !== null && (json as { type?: unknown }).type === 'session';
}

function partsOf(json: unknown): number {
  const parts = typeof json === 'object' && json !== null && (json as { parts?: unknown }).parts;
  return Array.isArray(parts) ? parts.length : 0;
}

function wrong(number: number, field: string, message: string): ApiError {
  const path = field === '' ? `line ${number}` : `line ${number}.${field}`;
  const place = field === '' ? '' : `: ${field}`;
  return new ApiError('VALIDATION_ERROR', `Line ${number}${place} ${message}`, {
    errors: [{ path, message }],
  });
}
