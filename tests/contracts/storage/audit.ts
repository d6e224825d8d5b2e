import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { AuditHead, AuditRow } from '../../../packages/server/src/storage/types.ts';
import { type OpenFresh, useStorage } from './fixtures.ts';

interface Draft {
  readonly id: string;
  readonly at: number;
  readonly action: string;
  readonly principalId: string | null;
}

const START: AuditHead = { number: 0, hash: '0'.repeat(64) };

const draft = (values: Partial<Draft> = {}): Draft => ({
  id: randomUUID(),
  at: 1000,
  action: 'auth.refused',
  principalId: null,
  ...values,
});

/** A chain that anybody can follow: the entry names the hash before it. */
function seal(one: Draft, head: AuditHead): AuditRow {
  const number = head.number + 1;
  return { ...one, number, entry: `{"after":"${head.hash}"}`, hash: `hash-${number}-${one.id}` };
}

export function describeAudit(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);
  const all = () => data.storage.audit.read(0, 1000);

  it('begins with nothing (S5)', async () => {
    expect(await data.storage.audit.head()).toEqual(START);
    expect(await all()).toEqual([]);
    expect(await data.storage.audit.append([], seal)).toEqual(START);
  });

  it('is one chain, in the order of the appends and in theirs (S5)', async () => {
    const { audit } = data.storage;
    const drafts = [draft(), draft({ principalId: 'Zoë \\ ☎', action: 'key.created', at: 2000 }), draft()];

    await audit.append(drafts.slice(0, 1), seal);
    const head = await audit.append(drafts.slice(1), seal);

    let last = START;
    const expected = drafts.map((one) => {
      const row = seal(one, last);
      last = { number: row.number, hash: row.hash };
      return row;
    });
    expect(await all()).toEqual(expected);
    expect(head).toEqual(last);
    expect(await audit.head()).toEqual(last);
    expect(await audit.read(1, 1)).toEqual([expected[1]]);
  });

  it('has no fork when several append at once (S4)', async () => {
    const { audit } = data.storage;
    const batches = Array.from({ length: 20 }, () => [draft(), draft(), draft()]);

    await Promise.all(batches.map((batch) => audit.append(batch, seal)));

    const rows = await all();
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
    expect(rows.map(({ entry }) => entry)).toEqual(
      [START, ...rows.slice(0, -1)].map(({ hash }) => `{"after":"${hash}"}`),
    );
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(batches.flat().map(({ id }) => id)));
    expect(rows).toHaveLength(60);
  });

  it('has an entry once, however often it is appended (P5)', async () => {
    const { audit } = data.storage;
    const [first, second] = [draft(), draft()];

    await audit.append([first], seal);
    await audit.append([first, second], seal);
    const head = await audit.append([second], seal);

    expect((await all()).map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(head.number).toBe(2);
  });

  it('is as it was when sealing fails (S4)', async () => {
    const { audit } = data.storage;
    await audit.append([draft()], seal);
    const before = await all();
    let calls = 0;

    const failing = audit.append([draft(), draft()], (one, head) => {
      if (++calls === 2) throw new Error('cannot be sealed');
      return seal(one, head);
    });

    await expect(failing).rejects.toBeInstanceOf(Error);
    expect(await all()).toEqual(before);
    expect((await audit.head()).number).toBe(1);
    await audit.append([draft()], seal);
    expect((await audit.head()).number).toBe(2);
  });

  it('is listed newest first, in pages, by what is asked for (S2, S5)', async () => {
    const { audit } = data.storage;
    const actions = ['auth.refused', 'key.created'];
    await audit.append(
      Array.from({ length: 12 }, (_, index) =>
        draft({
          at: index * 100,
          action: actions[index % 2] as string,
          principalId: index < 6 ? null : `p${index % 3}`,
        }),
      ),
      seal,
    );
    const numbers = async (query: object) =>
      (await audit.list({ limit: 100, ...query })).map(({ number }) => number);

    expect(await numbers({ limit: 3 })).toEqual([12, 11, 10]);
    expect(await numbers({ limit: 3, before: 10 })).toEqual([9, 8, 7]);
    expect(await numbers({ action: 'key.created', before: 7 })).toEqual([6, 4, 2]);
    expect(await numbers({ principalId: 'p0' })).toEqual([10, 7]);
    expect(await numbers({ principalId: 'p0', action: 'key.created' })).toEqual([10]);
    expect(await numbers({ principalId: 'nobody' })).toEqual([]);
    expect(await numbers({ from: 300, until: 500 })).toEqual([5, 4]);
  });

  it('is listed by time where its entries were written in another order, and its pages are the whole (S2)', async () => {
    const { audit } = data.storage;
    await audit.append(
      [500, 300, 500, 900, 100].map((at) => draft({ at })),
      seal,
    );
    const seen: number[] = [];
    for (let last: number | undefined; seen.length < 10; ) {
      const page = await audit.list({ limit: 2, ...(last === undefined ? {} : { before: last }) });
      if (page.length === 0) break;
      seen.push(...page.map(({ number }) => number));
      last = page.at(-1)?.number;
    }

    expect(seen).toEqual([4, 3, 1, 2, 5]);
    expect(await audit.list({ limit: 10, before: 99 })).toEqual([]);
  });

  it('is there again after a restart, and goes on (P2)', async (context) => {
    context.skip(memoryOnly !== undefined, memoryOnly);
    await data.storage.audit.append([draft(), draft()], seal);
    const before = await all();

    const storage = await data.restart();

    expect(await storage.audit.read(0, 10)).toEqual(before);
    expect((await storage.audit.append([draft()], seal)).number).toBe(3);
  });
}
