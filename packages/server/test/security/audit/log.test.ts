import { expect, it, onTestFinished, vi } from 'vitest';
import { verifyLog } from '../../../src/security/audit/verify.ts';
import { OPERATOR } from '../../../src/security/principal.ts';
import { openAuditLog, refusal } from './open-audit-log.ts';

it('an entry says who, what, on what, when, from where and how it ended (check 37)', async () => {
  const { log, entries, lines } = await openAuditLog({ now: () => Date.UTC(2026, 0, 2) });

  await log.recordDurably({
    action: 'key.created',
    outcome: 'success',
    source: { address: '192.0.2.1', transport: 'rest', requestId: 'req_1' },
    principal: { ...OPERATOR, credential: { kind: 'key', id: 'key_1', expiresAt: null } },
    target: { kind: 'key', id: 'key_2' },
    details: { role: 'user' },
  });

  const fields = {
    action: 'key.created',
    outcome: 'success',
    principal: { id: 'operator', tenant_id: 'default' },
    credential: { kind: 'key', id: 'key_1' },
    target: { kind: 'key', id: 'key_2' },
    address: '192.0.2.1',
    transport: 'rest',
    request_id: 'req_1',
    details: { role: 'user' },
  };
  expect(await entries()).toEqual([
    { number: 1, id: expect.any(String), at: '2026-01-02T00:00:00.000Z', ...fields },
  ]);
  expect(lines).toEqual([expect.objectContaining({ audit: true, msg: 'audit', ...fields })]);
});

it('recording waits for nothing, and the entry is there soon', async () => {
  const { log, entries, lines } = await openAuditLog();

  log.record(refusal());

  expect(lines).toHaveLength(1);
  await expect.poll(entries).toHaveLength(1);
});

it('10,000 failures in a burst are few entries, and all of them are counted', async () => {
  const { log, state, entries, storage } = await openAuditLog({ intervalMs: 60_000 });

  for (let index = 0; index < 10_000; index++) {
    log.record(refusal(`192.0.2.${index % 4}`, { target: { kind: 'operation', id: `GET /${index}` } }));
  }
  await log.flush();

  const written = await entries();
  expect(written.map(({ count }) => count)).toEqual([2500, 2500, 2500, 2500]);
  expect(state.appends).toBe(1);
  expect(await verifyLog(storage)).toMatchObject({ ok: true });
});

it('what repeats itself while a write is under way is counted in the next one, not written at once', async () => {
  const { log, state, entries } = await openAuditLog({ intervalMs: 60_000 });
  const gate = Promise.withResolvers<void>();
  state.gate = gate.promise;

  log.record(refusal());
  const first = log.flush();
  await expect.poll(() => state.appends).toBe(1);
  for (let index = 0; index < 500; index++) log.record(refusal());
  gate.resolve();
  await first;

  expect(await entries()).toHaveLength(1);
  await log.flush();
  expect((await entries()).map(({ count }) => count)).toEqual([undefined, 500]);
  expect(state.appends).toBe(2);
});

it('what succeeded on different targets is never counted together', async () => {
  const { log, entries } = await openAuditLog();
  const event = (id: string) =>
    refusal('192.0.2.1', { action: 'session.deleted', outcome: 'success', target: { kind: 'session', id } });

  for (const id of ['one', 'two', 'one']) log.record(event(id));
  await log.flush();

  expect((await entries()).map(({ target, count }) => [target, count])).toEqual([
    [{ kind: 'session', id: 'one' }, 2],
    [{ kind: 'session', id: 'two' }, undefined],
  ]);
});

it('more sources than may wait share one entry, and none is dropped', async () => {
  const { log, state, entries } = await openAuditLog({ maxWaiting: 100 });

  for (let index = 0; index < 1000; index++) log.record(refusal(`2001:db8:0:${index.toString(16)}::1`));
  await log.flush();

  const written = await entries();
  expect(written).toHaveLength(101);
  expect(written.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(1000);
  expect(written.at(-1)).toMatchObject({ address: null, count: 900, details: { sources: 'several' } });
  expect(state.appends).toBe(1);
});

it('a write that fails is reported and done again; whoever waits for it is told', async () => {
  const { log, state, entries, reported, storage } = await openAuditLog({ intervalMs: 1 });
  const failure = new Error('no disk');
  state.failure = failure;

  log.record(refusal());
  const durable = log.recordDurably(refusal('192.0.2.2', { action: 'key.created', outcome: 'success' }));
  await expect(durable).rejects.toThrow('no disk');
  log.record(refusal());
  await expect.poll(() => reported.length).toBeGreaterThan(1);
  state.failure = null;

  await expect.poll(entries).toHaveLength(2);
  expect((await entries()).map(({ action }) => action)).toEqual(['auth.refused', 'auth.refused']);
  expect(new Set(reported)).toEqual(new Set([failure]));
  expect(await verifyLog(storage)).toMatchObject({ ok: true });
});

it('what cannot be recorded is reported, and throws at nobody', async () => {
  const { log, reported, entries } = await openAuditLog();
  const hostile = {
    get bad(): never {
      throw new Error('bad details');
    },
  };

  log.record(refusal('192.0.2.1', { details: hostile }));
  await expect(log.recordDurably(refusal('192.0.2.1', { details: hostile }))).rejects.toThrow(TypeError);

  expect(reported.map(String)).toEqual(['Error: bad details', 'Error: bad details']);
  log.record(refusal());
  await expect.poll(entries).toHaveLength(1);
});

it('everything is written before it is closed, and nothing waits for ever', async () => {
  const { log, entries } = await openAuditLog({ intervalMs: 60_000 });
  log.record(refusal());
  await log.flush();

  for (let index = 0; index < 450; index++) log.record(refusal(`192.0.2.${index}`));
  await Promise.all([log.close(), log.close()]);

  expect(await entries()).toHaveLength(451);
});

it('what cannot be written before the end is reported with its number', async () => {
  const { log, state, reported } = await openAuditLog({ intervalMs: 60_000 });
  state.failure = new Error('no disk');
  log.record(refusal());
  log.record(refusal('192.0.2.2'));

  await log.close();

  expect(reported.map(String)).toEqual([
    'Error: no disk',
    'Error: no disk',
    'Error: 2 audit entries could not be written',
  ]);
});

it('an address of IPv6 is its /64: whoever is given one cannot fill the log with the addresses in it', async () => {
  const { log, entries } = await openAuditLog({ intervalMs: 60_000 });

  for (let index = 0; index < 5000; index++) log.record(refusal(`2001:db8:1:2::${index.toString(16)}`));
  log.record(refusal('2001:db8:1:3::1'));
  await log.flush();

  expect((await entries()).map(({ address, count = 1 }) => [address, count])).toEqual([
    ['2001:db8:1:2::0', 5000],
    ['2001:db8:1:3::1', 1],
  ]);
});

it('two callers whose long names begin alike stay two', async () => {
  const { log, entries } = await openAuditLog({ intervalMs: 60_000 });
  const names = ['a', 'b'].map((end) => `jwt:${'x'.repeat(254)}${end}`);

  for (const id of names) log.record(refusal('192.0.2.1', { principal: { ...OPERATOR, id } }));
  await log.flush();

  expect((await entries()).map(({ principal }) => principal)).toEqual(
    names.map((id) => ({ id, tenant_id: 'default' })),
  );
});

it('sources of all the world fill it no faster than so many a second, and callers that are known go on as before', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const { log, entries } = await openAuditLog({ intervalMs: 60_000 });
  const known = { ...OPERATOR, id: 'ada' };

  for (let second = 0; second < 20; second++) {
    for (let n = 0; n < 250; n++) log.record(refusal(`198.51.${second}.${n}`));
    await log.flush();
    vi.advanceTimersByTime(1000);
  }
  log.record(refusal('192.0.2.1', { principal: known }));
  log.record(refusal('192.0.2.1', { action: 'ticket.issued', outcome: 'success' }));
  await log.flush();

  const written = await entries();
  expect(written.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(5002);
  // A thousand, two a second, one a second for the others, and those that are known.
  expect(written).toHaveLength(1000 + 2 * 19 + 16 + 2);
  expect(written.at(-3)).toMatchObject({ address: null, count: 248, details: { sources: 'several' } });
  expect(written.slice(-2)).toMatchObject([{ principal: { id: 'ada' } }, { action: 'ticket.issued' }]);
});
