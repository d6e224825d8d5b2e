import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exportLine } from '../../../src/security/audit/chain.ts';
import { cleanText } from '../../../src/security/audit/clean.ts';
import { openAuditLog, refusal } from './open-audit-log.ts';

const FORGED =
  'x\r\n{"level":"info","audit":true}\u001b[2J\u009b31m\u2028\u202Eevil\u0000\ud800"},"hash":"0"}\n';
/** Whatever ends a line somewhere, moves a cursor or hides text. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

it('CR, LF and ANSI in any field forge no line of the log and of an export (check 37)', async () => {
  const { log, storage, raw, entries } = await openAuditLog();

  await log.recordDurably({
    action: 'access.refused',
    outcome: 'refused',
    source: { address: FORGED, transport: 'rest', requestId: FORGED },
    principal: { id: FORGED, tenantId: FORGED, credential: { kind: 'jwt', id: FORGED, expiresAt: null } },
    target: { kind: FORGED, id: FORGED },
    details: { [FORGED]: [FORGED, { [FORGED]: FORGED }] },
  });

  const [row] = await storage.read(0, 10);
  const exported = row ? exportLine(row) : '';
  expect(exported).toContain('evil');
  expect(exported).not.toMatch(CONTROLS);
  expect(raw).toHaveLength(1);
  expect(raw[0]?.slice(0, -1)).not.toMatch(CONTROLS);
  expect(await entries()).toHaveLength(1);
  expect(await storage.list({ limit: 1, principalId: cleanText(FORGED) })).toHaveLength(1);
});

it('no text whatever gets a character through that cannot be seen', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(cleanText(text)).not.toMatch(CONTROLS);
    }),
  );
});

it('secrets are hidden, by their name and by what the server knows', async () => {
  const secret = 'a-very-secret-word';
  const { log, storage, raw } = await openAuditLog({
    redact: (text) => text.replaceAll(secret, '[hidden]'),
  });

  await log.recordDurably(
    refusal('192.0.2.1', {
      target: { kind: 'operation', id: `GET /${'a'.repeat(190)}${secret}` },
      details: {
        password: 'hunter2-a',
        api_key: 'hunter2-b',
        nested: { access_token: 'hunter2-c', authorization: 'hunter2-d' },
        reason: `${secret} and Bearer hunter2-e`,
        key_id: 'key_1',
      },
    }),
  );

  const text = `${raw.join('')}${(await storage.read(0, 1))[0]?.entry}`;
  expect(text).not.toContain('hunter2');
  expect(text).not.toContain('a-very');
  expect(text).toContain('key_1');
});

it('an entry stays small, whatever it is told', async () => {
  const { log, storage } = await openAuditLog();
  const long = 'x'.repeat(1_000_000);
  const deep = JSON.parse(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`) as object;
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`n${index}`, long]));

  for (const details of [{ long }, { deep }, { wide }, wide, { list: Array(10_000).fill(long) }]) {
    await log.recordDurably(refusal(long, { details: details as never }));
  }

  for (const { entry } of await storage.read(0, 10)) expect(entry.length).toBeLessThan(6000);
});
