import { ERRORS, type ErrorCode, problemSchema } from '@llmgine/protocol';
import { expect } from 'vitest';

interface Answered {
  readonly status: number;
  readonly headers: Headers | Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Checks that an answer is a problem of this code, whole and consistent with itself. */
export function expectProblem(
  answer: Answered,
  code: ErrorCode,
  status: number | null = ERRORS[code].status,
): void {
  const { headers } = answer;
  const body: unknown = typeof answer.body === 'string' ? JSON.parse(answer.body) : answer.body;
  const type = headers instanceof Headers ? headers.get('content-type') : headers['content-type'];
  expect(type).toMatch(/^application\/problem\+json\b/);
  expect(problemSchema.safeParse(body).error).toBeUndefined();
  expect(body).toMatchObject({ code, status, type: `/docs#${code}`, title: ERRORS[code].message });
  expect(answer.status).toBe(status);
}
