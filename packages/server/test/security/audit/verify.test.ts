import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, exportLine, linkHash } from '../../../src/security/audit/chain.ts';
import { exportLines, verifyLines, verifyLog } from '../../../src/security/audit/verify.ts';
import type { AuditReader, AuditRow } from '../../../src/storage/types.ts';
import { openAuditLog, refusal } from './open-audit-log.ts';

async function rowsOf(count: number): Promise<AuditRow[]> {
  const { log, storage } = await openAuditLog();
  for (let index = 0; index < count; index++) log.record(refusal(`192.0.2.${index}`));
  await log.flush();
  return [...(await storage.read(0, count))];
}

/** What somebody who can write to the database has made of the log. */
function readerOf(rows: readonly AuditRow[], head = rows.at(-1)): AuditReader {
  return {
    head: async () => ({ number: head?.number ?? 0, hash: head?.hash ?? '0'.repeat(64) }),
    read: async (after, limit) => rows.filter(({ number }) => number > after).slice(0, limit),
  };
}

async function linesOf(rows: readonly AuditRow[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportLines(readerOf(rows))) lines.push(line);
  return lines;
}

const renumbered = (rows: readonly AuditRow[]) => rows.map((row, index) => ({ ...row, number: index + 1 }));

/** Everything is made anew, as the server would have. */
function forged(rows: readonly AuditRow[]): AuditRow[] {
  let hash = '0'.repeat(64);
  return rows.map((row, index) => {
    const number = index + 1;
    const entry = canonicalJson({ ...(JSON.parse(row.entry) as object), number });
    hash = linkHash(hash, entry);
    return { ...row, number, entry, hash };
  });
}

it('the hash is the SHA-256 of the hash before and the entry as canonical JSON (check 38)', async () => {
  const [first, second] = (await rowsOf(2)) as [AuditRow, AuditRow];

  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  expect(first.hash).toBe(sha256('0'.repeat(64) + first.entry));
  expect(second.hash).toBe(sha256(first.hash + second.entry));
});

it('a log that nobody touched is whole, and so is its export', async () => {
  const rows = await rowsOf(30);
  const head = { number: 30, hash: rows[29]?.hash };

  expect(await verifyLog(readerOf(rows))).toEqual({ ok: true, head, known: null });
  expect(await verifyLines(await linesOf(rows), rows[9]?.hash)).toEqual({
    ok: true,
    head,
    known: { number: 10, hash: rows[9]?.hash },
  });
  expect(await verifyLog(readerOf([]))).toMatchObject({ ok: true, head: { number: 0 } });
  expect(await verifyLines([])).toMatchObject({ ok: true, head: { number: 0 } });
});

const edit = (row: AuditRow) => ({ ...row, entry: row.entry.replace('192.0.2.', '192.0.3.') });
const CHANGES: readonly [string, (rows: AuditRow[]) => AuditRow[], number][] = [
  ['an entry was edited', (rows) => rows.with(4, edit(rows[4] as AuditRow)), 5],
  [
    'an entry was edited together with its hash',
    (rows) => rows.with(4, forged(rows.slice(0, 5).with(4, edit(rows[4] as AuditRow)))[4] as AuditRow),
    6,
  ],
  ['a hash was edited', (rows) => rows.with(4, { ...(rows[4] as AuditRow), hash: 'f'.repeat(64) }), 5],
  ['an entry was deleted', (rows) => rows.toSpliced(4, 1), 5],
  ['an entry was deleted and the rest numbered anew', (rows) => renumbered(rows.toSpliced(4, 1)), 5],
  ['the first entries were deleted', (rows) => rows.slice(3), 1],
  [
    'two entries have changed places',
    (rows) => renumbered(rows.with(4, rows[5] as AuditRow).with(5, rows[4] as AuditRow)),
    5,
  ],
  ['an entry was put in', (rows) => renumbered(rows.toSpliced(4, 0, rows[3] as AuditRow)), 5],
];

it.each(CHANGES)('is found: %s (check 38)', async (_name, change, number) => {
  const rows = await rowsOf(10);
  const changed = change(rows);

  expect(await verifyLog(readerOf(changed, rows.at(-1)))).toMatchObject({ ok: false, number });
  expect(await verifyLines(changed.map(exportLine))).toMatchObject({ ok: false, number });
});

it('a cut end is found by the head that the storage keeps, and by one that was kept elsewhere (check 38)', async () => {
  const rows = await rowsOf(10);
  const cut = rows.slice(0, 8);

  expect(await verifyLog(readerOf(cut, rows.at(-1)))).toMatchObject({ ok: false, number: 8 });
  // Somebody who changes the head, too, is found by the known head alone.
  expect(await verifyLog(readerOf(cut))).toMatchObject({ ok: true });
  expect(await verifyLog(readerOf(cut), rows[9]?.hash)).toMatchObject({ ok: false, number: 8 });
  expect(await verifyLines(cut.map(exportLine), rows[9]?.hash)).toMatchObject({ ok: false, number: 8 });
  expect(await verifyLog(readerOf([]), rows[9]?.hash)).toMatchObject({ ok: false, number: 0 });
});

it('a log that was written anew is found by a known head (check 38)', async () => {
  const rows = await rowsOf(10);
  const anew = forged(rows.toSpliced(4, 1));

  expect(await verifyLog(readerOf(anew))).toMatchObject({ ok: true });
  expect(await verifyLog(readerOf(anew), rows[9]?.hash)).toMatchObject({ ok: false });
  expect(await verifyLines(anew.map(exportLine), rows[9]?.hash)).toMatchObject({ ok: false });
});

it('columns that say something else than the entry are found', async () => {
  const rows = await rowsOf(3);
  for (const change of [{ action: 'logout' }, { principalId: 'root' }, { at: 1 }, { id: 'other' }]) {
    const changed = rows.with(1, { ...(rows[1] as AuditRow), ...change });
    expect(await verifyLog(readerOf(changed))).toMatchObject({ ok: false, number: 2 });
  }
});

it('a head that is gone or was set back is found', async () => {
  const rows = await rowsOf(3);

  expect(
    await verifyLog({ ...readerOf(rows), head: async () => ({ number: 0, hash: '0'.repeat(64) }) }),
  ).toMatchObject({
    ok: false,
  });
  expect(await verifyLog(readerOf(rows, { ...(rows[2] as AuditRow), hash: '1'.repeat(64) }))).toMatchObject({
    ok: false,
    number: 3,
  });
});

it('any one character of an export that is changed is found (check 38)', async () => {
  const lines = await linesOf(await rowsOf(3));
  const text = lines.join('\n');
  await fc.assert(
    fc.asyncProperty(
      fc.nat(text.length - 1),
      fc.string({ minLength: 1, maxLength: 1 }),
      async (at, character) => {
        fc.pre(text[at] !== character);
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        expect(await verifyLines(changed.split('\n'))).toMatchObject({ ok: false });
      },
    ),
  );
});

it('lines that are no entries are found, whatever they hold', async () => {
  const [line = ''] = await linesOf(await rowsOf(1));
  for (const bad of [
    '',
    'null',
    '[]',
    '{}',
    '{"entry":1,"hash":"x"}',
    ` ${line}`,
    `${line} `,
    `${line}${line}`,
  ]) {
    expect(await verifyLines([bad])).toMatchObject({ ok: false, number: 1 });
    expect(await verifyLines([line, bad])).toMatchObject({ ok: false, number: 2 });
  }
  // Of two names that are the same, readers see the one or the other.
  const doubled = line.replace('{"entry":{', '{"entry":{"action":"logout",');
  expect(await verifyLines([doubled])).toMatchObject({ ok: false });
});
