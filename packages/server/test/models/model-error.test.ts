import { describe, expect, test } from 'vitest';
import {
  createRedact,
  errorText,
  httpError,
  providerError,
  retryAfterSeconds,
} from '../../src/models/model-error.ts';

describe('credentials', () => {
  test.each([
    'sk-proj-abcdefgh12345678',
    'sk-abc***********wxyz',
    'Bearer abc.def-123',
    'gsk_0123456789abcdef',
    'AIzaSyA-0123456789abcdef',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
    'https://me:hunter22@host/',
  ])('%s is taken out of a text', (secret) => {
    const clean = createRedact()(`before ${secret} after`);

    expect(clean).toMatch(/^before .*\[redacted\].* after$/);
    for (const part of ['abc', '0123', 'eyJzd', 'hunter', 'wxyz']) expect(clean).not.toContain(part);
  });

  test('that are configured are taken out wherever they stand; placeholders stay', () => {
    expect(createRedact(['my secret key'])('x my secret key y')).toBe('x [redacted] y');
    expect(createRedact(['none', undefined])('none of these')).toBe('none of these');
  });

  test('a text without any stays as it is', () => {
    const text = 'Model "llama3:8b" not found, try pulling it first (see https://example.com/docs)';

    expect(createRedact()(text)).toBe(text);
  });
});

describe('what a provider says', () => {
  test.each([
    ['{"error":{"message":"why","type":"x"}}', 'why'],
    ['{"error":"why"}', 'why'],
    ['[{"error":{"code":400,"message":"why"}}]', 'why'],
    ['{"detail":[{"loc":["body"],"msg":"why"}]}', 'why'],
    ['{"message":"why"}', 'why'],
    ['why', 'why'],
    ['why\n\u001b[31m  at line:1:2', 'why [31m at line:1:2'],
    ['{"nothing":1}', 'Bad Request'],
    ['<!doctype html>', 'Bad Request'],
    ['', 'Bad Request'],
  ])('%s', (body, said) => {
    expect(httpError(400, body, createRedact(), undefined).message).toBe(
      `The model provider answered 400: ${said}`,
    );
  });

  test('is not searched for ever', () => {
    const deep = JSON.parse(`${'{"error":'.repeat(5000)}"x"${'}'.repeat(5000)}`);

    expect(errorText(deep)).toBeUndefined();
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  test.each([
    [{ 'retry-after': '7' }, 7],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '1.2' }, 2],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': '20', 'retry-after-ms': '1500' }, 2],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{}, undefined],
  ])('%j is %s', (headers, seconds) => {
    expect(retryAfterSeconds(headers as Record<string, string>, now)).toBe(seconds);
  });
});

describe('the remedy', () => {
  const remedyOf = (status: number, body: object = {}) =>
    httpError(status, JSON.stringify(body), createRedact(), undefined).remedy;

  test.each([
    [400, 'elsewhere'],
    [401, 'elsewhere'],
    [403, 'elsewhere'],
    [404, 'elsewhere'],
    [413, 'elsewhere'],
    [408, 'again'],
    [409, 'again'],
    [429, 'again'],
    [500, 'again'],
    [503, 'again'],
    [529, 'again'],
  ])('of status %i is %s', (status, remedy) => {
    expect(remedyOf(status)).toBe(remedy);
  });

  test('of an account without money is not time', () => {
    expect(remedyOf(429, { error: { message: 'Quota', code: 'insufficient_quota' } })).toBe('elsewhere');
  });

  test.each([
    [{ error: { type: 'overloaded_error', message: 'm' } }, 'again'],
    [{ type: 'error', error: { type: 'api_error', message: 'm' } }, 'again'],
    [{ error: { code: 503, status: 'UNAVAILABLE', message: 'm' } }, 'again'],
    [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }, 'again'],
    [{ message: 'm', statusCode: 529 }, 'again'],
    [{ error: { type: 'server_error', message: 'm' } }, 'again'],
    [{ error: { type: 'rate_limit_exceeded' } }, 'again'],
    [{ error: { type: 'invalid_request_error', message: 'm' } }, 'elsewhere'],
    [{ error: { code: 400, status: 'INVALID_ARGUMENT' } }, 'elsewhere'],
    [{ error: { type: 'insufficient_quota' } }, 'elsewhere'],
    [{ error: 'why' }, 'elsewhere'],
    ['why', 'elsewhere'],
    [null, 'elsewhere'],
  ])('of an error within a stream is what it goes by: %j', (body, remedy) => {
    expect(providerError(body, createRedact()).remedy).toBe(remedy);
  });
});

test.each([
  ['34s', 34],
  ['0.5s', 1],
  ['soon', undefined],
])('Google says in the body when to come back: %s', (retryDelay, seconds) => {
  const details = [{ '@type': 'QuotaFailure' }, { '@type': 'RetryInfo', retryDelay }];
  const body = JSON.stringify({ error: { code: 429, message: 'm', details } });

  expect(httpError(429, body, createRedact(), undefined).retryAfter).toBe(seconds);
  expect(httpError(429, body, createRedact(), 7).retryAfter).toBe(7);
});
