import { AUDIT_START, type AuditHead, type AuditReader, type AuditRow } from '../../storage/audit.ts';
import { canonicalJson, exportLine, linkHash } from './chain.ts';

/** Entries that are read at a time. */
const PAGE = 500;

export type AuditVerdict =
  | { readonly ok: true; readonly head: AuditHead; readonly known: AuditHead | null }
  | { readonly ok: false; readonly number: number; readonly problem: string };

/** Checks entry after entry; what comes after the first one that is wrong says nothing. */
export class ChainCheck {
  #head: AuditHead = AUDIT_START;
  readonly #expected: string | undefined;
  #known: AuditHead | null;

  /** @param expected The hash of an earlier head that was kept elsewhere. */
  constructor(expected?: string) {
    this.#expected = expected?.toLowerCase();
    this.#known = this.#expected === AUDIT_START.hash ? AUDIT_START : null;
  }

  get head(): AuditHead {
    return this.#head;
  }

  /** What is wrong with the entry that follows, or null. */
  next(row: Pick<AuditRow, 'entry' | 'hash'> & Partial<AuditRow>): AuditVerdict | null {
    const number = this.#head.number + 1;
    const entry = parse(row.entry);
    if (entry?.number !== number) {
      const found =
        typeof entry?.number === 'number' ? `entry ${entry.number} is in its place` : 'it is none';
      return wrong(number, `entry ${number} is missing: ${found}`);
    }
    if (linkHash(this.#head.hash, row.entry) !== row.hash) {
      return wrong(number, `entry ${number} is not what was written, or what was before it is not`);
    }
    if (canonicalJson(entry) !== row.entry || differs(row, entry)) {
      return wrong(number, `entry ${number} is shown as something else than it is`);
    }
    this.#head = { number, hash: row.hash };
    if (row.hash === this.#expected) this.#known = this.#head;
    return null;
  }

  end(): AuditVerdict {
    if (this.#expected === undefined || this.#known)
      return { ok: true, head: this.#head, known: this.#known };
    return wrong(
      this.#head.number,
      'the known head is not in the log: its end was cut off, or it was written anew',
    );
  }
}

/** Checks the whole log, also against the head that the storage keeps apart. Entries may be added meanwhile. */
export async function verifyLog(reader: AuditReader, expected?: string): Promise<AuditVerdict> {
  const stored = await reader.head();
  const check = new ChainCheck(expected);
  for (;;) {
    const rows = await reader.read(check.head.number, PAGE);
    for (const row of rows) {
      const problem = check.next(row);
      if (problem) return problem;
      if (row.number === stored.number && row.hash !== stored.hash) {
        return wrong(row.number, `entry ${row.number} is not the one that was the newest`);
      }
    }
    if (rows.length === 0) break;
  }
  const { number } = check.head;
  if (number < stored.number) {
    return wrong(number, `the log ends with entry ${number}, and entry ${stored.number} was the newest`);
  }
  // It moves in the transaction of the entries.
  if ((await reader.head()).number < number) {
    return wrong(number, 'the head that the storage keeps apart was changed');
  }
  return check.end();
}

/** Checks an export: lines that `exportLine` has made, from the first entry on. */
export async function verifyLines(
  lines: AsyncIterable<string> | Iterable<string>,
  expected?: string,
): Promise<AuditVerdict> {
  const check = new ChainCheck(expected);
  for await (const line of lines) {
    const row = parseLine(line);
    if (!row) {
      const number = check.head.number + 1;
      return wrong(number, `line ${number} is not one of an export`);
    }
    const problem = check.next(row);
    if (problem) return problem;
  }
  return check.end();
}

/** The lines of an export up to the head of now. */
export async function* exportLines(reader: AuditReader): AsyncGenerator<string> {
  const { number: end } = await reader.head();
  for (let after = 0; after < end; ) {
    const rows = await reader.read(after, PAGE);
    for (const row of rows) if (row.number <= end) yield exportLine(row);
    after = rows.at(-1)?.number ?? end;
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Null also for a line that says the same in another way: what an export shows must be what was hashed. */
function parseLine(line: string): Pick<AuditRow, 'entry' | 'hash'> | null {
  const parsed = parse(line);
  if (!parsed || typeof parsed.hash !== 'string') return null;
  const row = { entry: canonicalJson(parsed.entry), hash: parsed.hash };
  return exportLine(row) === line ? row : null;
}

/** What lists are filtered by, beside the entry, has to say what it says. */
function differs(row: Partial<AuditRow>, entry: Record<string, unknown>): boolean {
  if (row.number === undefined) return false;
  const { principal, at } = entry as { principal?: { id?: unknown } | null; at?: unknown };
  const shown = [row.number, row.id, row.action, row.principalId ?? null];
  const said = [entry.number, entry.id, entry.action, principal?.id ?? null];
  return shown.some((one, index) => one !== said[index]) || row.at !== Date.parse(String(at));
}

function wrong(number: number, problem: string): AuditVerdict {
  return { ok: false, number, problem };
}
