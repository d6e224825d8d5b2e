import { describe, expect, test } from 'vitest';
import { createRedact, errorText, httpError, retryAfterSeconds } from '../../src/models/model-error.ts';

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
