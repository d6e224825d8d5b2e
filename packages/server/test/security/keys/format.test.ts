import { expect, it } from 'vitest';
import { digestOf, keyIdOf, makeKey, randomText } from '../../../src/security/keys/format.ts';

it('makes keys that name their issuer, their kind and their id, and hold 130 random bits (check 2)', () => {
  const { key, keyId, digest } = makeKey();

  expect(key).toMatch(/^llmgine_key_[0-9A-Za-z]{12}_[0-9A-Za-z]{28}$/);
  expect(key.startsWith(`llmgine_${keyId}_`)).toBe(true);
  expect(keyIdOf(key)).toBe(keyId);
  expect(digest).toEqual(digestOf(key));
  expect(22 * Math.log2(62)).toBeGreaterThan(128);
});

it('makes no key twice, and uses every character about as often (check 2)', () => {
  const texts = Array.from({ length: 5000 }, () => randomText(22));
  const counts = Map.groupBy(texts.join(''), (character) => character);
  const expected = (5000 * 22) / 62;

  expect(new Set(texts).size).toBe(5000);
  expect(counts.size).toBe(62);
  // Six deviations of a fair choice; without the rejection, eight characters would be 25 % too frequent.
  for (const { length } of counts.values()) {
    expect(Math.abs(length - expected)).toBeLessThan(6 * Math.sqrt(expected));
  }
});

it('takes every key with one wrong or swapped character for garbage', () => {
  const { key, keyId } = makeKey();
  for (let index = 0; index < key.length; index++) {
    for (const other of ['0', 'a', 'Z', '_']) {
      const typo = key.slice(0, index) + other + key.slice(index + 1);
      if (typo !== key) expect(keyIdOf(typo)).toBeNull();
    }
    const swapped = key.slice(0, index) + key[index + 1] + key[index] + key.slice(index + 2);
    if (index + 1 < key.length && swapped !== key) expect(keyIdOf(swapped)).toBeNull();
  }
  expect(keyIdOf(key)).toBe(keyId);
});

it.each([
  ['nothing', ''],
  ['only its beginning', makeKey().key.slice(0, -1)],
  ['more than it', `${makeKey().key}x`],
  ['a line after it', `${makeKey().key}\n`],
  ['another case', makeKey().key.toUpperCase()],
  ['another issuer', makeKey().key.replace('llmgine', 'llmgina')],
  ['a JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.'],
  ['a megabyte', 'llmgine_key_'.repeat(90_000)],
])('takes %s for no key', (_what, offered) => {
  expect(keyIdOf(offered)).toBeNull();
});
