import { expect, it } from 'vitest';
import {
  cookieOf,
  csrfTokenOf,
  idOf,
  isCsrfToken,
  makeCookie,
  proofOf,
  setCookie,
} from '../../../src/security/browser-sessions/cookie.ts';

it('makes no cookie twice, and each of 256 random bits (check 2)', () => {
  const cookies = Array.from({ length: 2000 }, () => makeCookie());
  const bits = cookies.map(({ secret }) => Buffer.from(secret, 'base64url'));

  expect(new Set(cookies.map(({ secret }) => secret)).size).toBe(2000);
  expect(new Set(cookies.map(({ id }) => id)).size).toBe(2000);
  expect(bits.every(({ length }) => length === 32)).toBe(true);
  // Every bit is set about as often as not: six deviations of a fair coin.
  for (let bit = 0; bit < 256; bit++) {
    const set = bits.filter((bytes) => ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
    expect(Math.abs(set - 1000)).toBeLessThan(6 * Math.sqrt(500));
  }
});

it('lets nobody make from what is kept what a page has to show', () => {
  const { secret, digest, id } = makeCookie();
  const kept = [
    Buffer.from(digest).toString('base64url'),
    id,
    Buffer.from(proofOf(secret, '')).toString('base64url'),
  ];

  expect(kept).not.toContain(csrfTokenOf(secret));
  for (const one of kept) expect(csrfTokenOf(one)).not.toBe(csrfTokenOf(secret));
  expect(id).toBe(idOf(digest));
  expect(isCsrfToken(secret, csrfTokenOf(secret))).toBe(true);
  for (const wrong of [undefined, '', secret, csrfTokenOf(makeCookie().secret), [csrfTokenOf(secret), 'x']]) {
    expect(isCsrfToken(secret, wrong)).toBe(false);
  }
});

const VALUE = 'A'.repeat(43);
it.each([
  ['no cookie', undefined, null],
  ['another one', 'theme=dark', null],
  ['it alone', `__Host-llmgine=${VALUE}`, VALUE],
  ['it among others', `a=b; __Host-llmgine=${VALUE};c=d`, VALUE],
  ['it twice', `__Host-llmgine=${VALUE}; __Host-llmgine=${VALUE}`, null],
  ['one with a longer name', `x__Host-llmgine=${VALUE}`, null],
  ['one in another case', `__host-llmgine=${VALUE}`, null],
  ['it as a value', `x=__Host-llmgine=${VALUE}`, null],
  ['it in quotes', `__Host-llmgine="${VALUE}"`, null],
  ['it with a character too many', `__Host-llmgine=${VALUE}A`, null],
  ['it with a strange character', `__Host-llmgine=${VALUE.slice(1)}!`, null],
  ['megabytes', `__Host-llmgine=${'A'.repeat(1_000_000)}`, null],
])('of a header with %s', (_what, cookie, expected) => {
  expect(cookieOf(cookie === undefined ? {} : { cookie })).toBe(expected);
});

it('is good for whole seconds, and never for less than none', () => {
  expect(setCookie(VALUE, 1999)).toMatch(/; Max-Age=1$/);
  expect(setCookie(VALUE, -5)).toMatch(/; Max-Age=0$/);
});
