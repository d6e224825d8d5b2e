import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALL,
  append,
  appended,
  ask,
  createSession,
  ENGINE,
  event,
  NO_LIMIT,
  newSession,
  OWNER,
  resolveRequest,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { decode, encode, indexed } from '../../src/storage/postgres/text.ts';
import { openForTest } from './postgres-open.ts';

/** Everything that Postgres would refuse, replace or fold: NUL, halves of pairs, escapes, controls, other spellings. */
const NASTY = 'NUL \u0000, half \ud800, other half \udc00, \\u0000, "quoted", \u0001, é and e\u0301, 🚀';
const units = fc.string({ unit: 'binary', maxLength: 20 });
const halves = fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes));
const texts = fc.oneof(units, halves);

describe('the stored form of a text', () => {
  it('gives the text back, and holds nothing that Postgres refuses', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const stored = encode(text);
        expect(decode(stored)).toBe(text);
        expect(stored.isWellFormed()).toBe(true);
        expect(stored).not.toContain('\u0000');
      }),
    );
  });

  it('is another for another text, when it is a digest too', () => {
    const long = texts.map((text) => text + 'x'.repeat(600));
    fc.assert(
      fc.property(fc.oneof(texts, long), fc.oneof(texts, long), (a, b) => {
        expect(indexed(a) === indexed(b)).toBe(a === b);
      }),
    );
    expect(indexed(indexed('x'.repeat(600)))).not.toBe(indexed('x'.repeat(600)));
  });

  it('is the text itself for what ids and words are made of', () => {
    const usual = 'custom:note_1.x-y Grüße 7f0c';
    expect([encode(usual), indexed(usual)]).toEqual([usual, usual]);
  });
});

it('whatever text people choose is found as it was and as nothing else', async () => {
  const { url } = await testDatabase();
  const storage = await openForTest(url);
  const scope = { tenantId: `tenant ${NASTY}`, ownerId: `owner ${NASTY}` };
  const large = NASTY.repeat(1000);
  const metadata = { [NASTY]: NASTY, [large]: large };
  const session = newSession({ ...scope, name: NASTY, metadata, engine: { ...ENGINE, engineId: NASTY } });
  const record = {
    ...scope,
    idempotencyKey: large,
    bodyHash: NASTY,
    response: JSON.stringify(NASTY),
    createdAt: 1,
  };

  expect(await storage.createSession(session, NO_LIMIT, record)).toBe('created');
  expect(await storage.createSession(newSession(scope), NO_LIMIT, record)).toBe('idempotency_exists');

  expect(await storage.getIdempotency(scope, large)).toEqual(record);
  expect(await storage.getIdempotency(scope, `${large} `)).toBeNull();
  expect(await storage.getSession(session)).toMatchObject({
    ...scope,
    name: NASTY,
    metadata,
    engine: { engineId: NASTY },
  });
  for (const [key, value, found] of [
    [NASTY, NASTY, 1],
    [large, large, 1],
    [NASTY, `${NASTY} `, 0],
    [large, `${large} `, 0],
    [encode(NASTY), encode(NASTY), 0],
  ] as const) {
    expect(await storage.listSessions(scope, { ...ALL, metadata: { [key]: value } })).toMatchObject({
      total: found,
    });
  }
  const published = event('custom:x', { runId: NASTY, eventId: NASTY });
  await appended(storage, session, { events: [published] });
  expect(await append(storage, session, { events: [published] })).toMatchObject({ reason: 'event_exists' });
  expect((await storage.readEvents(session, 0, 10))?.events[0]?.runId).toBe(NASTY);
  expect(await storage.expireSessions(NO_LIMIT, 10)).toEqual([{ ...scope, sessionId: session.sessionId }]);
  await storage.close();
});

it('whatever people ask and answer is found as it was', async () => {
  const { url } = await testDatabase();
  const storage = await openForTest(url);
  const session = await createSession(storage, { engine: ENGINE });
  const runId = await startedRun(storage, session);
  const asked = { requestKey: NASTY.repeat(200), prompt: NASTY, toolName: NASTY, toolCallId: NASTY };
  const requestId = await ask(storage, session, runId, asked);
  const claim = { kind: 'claim_request', requestId, by: NASTY, at: 1, until: 1e9 } as const;
  await appended(storage, session, { writes: [claim] });

  const other = await append(storage, session, { writes: [{ ...claim, by: encode(NASTY) }] });
  await appended(storage, session, {
    writes: [claim, resolveRequest(requestId, { by: NASTY, reason: NASTY, value: NASTY })],
  });

  expect(other).toEqual({ ok: false, reason: 'request_claimed' });
  expect(await storage.getRequest(session, requestId)).toMatchObject({
    ...asked,
    claimedBy: NASTY,
    resolution: { by: NASTY, reason: NASTY, value: NASTY },
  });
  await storage.close();
});

it('metadata in a script of three bytes a character fits the index, however long', async () => {
  const { url } = await testDatabase();
  const storage = await openForTest(url);
  // Text that does not compress, as an index would.
  const text = (seed: number) =>
    Array.from({ length: 500 }, (_, n) => String.fromCodePoint(0x4e00 + ((seed + n * 7919) % 20_000))).join(
      '',
    );
  const [key, value] = [text(1), text(2)];
  const session = await createSession(storage, { metadata: { [key]: value } });

  const page = await storage.listSessions(OWNER, { ...ALL, metadata: { [key]: value } });

  expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual([session.sessionId]);
  expect(page.sessions[0]?.metadata).toEqual({ [key]: value });
  await storage.close();
});
