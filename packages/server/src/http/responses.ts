/** How answers are described: one place for the problems that an operation documents. */
import { ERRORS, type ErrorCode, problemSchema } from '@llmgine/protocol';
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';

/** What any operation that needs a credential can answer. */
const COMMON: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED', 'INTERNAL_ERROR'];

/** Typed as nothing, so that spreading it leaves the types of the answers that handlers send as they are. */
type NoTypes = Record<never, never>;

/** Responses of the given codes, by their status, with what each means. */
export function problems(...codes: readonly ErrorCode[]): NoTypes {
  return byStatus([...COMMON, ...codes]);
}

/** The same for public operations. */
export function publicProblems(...codes: readonly ErrorCode[]): NoTypes {
  return byStatus(['INTERNAL_ERROR', ...codes]);
}

function byStatus(codes: readonly ErrorCode[]): NoTypes {
  const responses: Record<number, unknown> = {};
  for (const [status, group] of Map.groupBy(new Set(codes), (code) => ERRORS[code].status ?? 500)) {
    responses[status] = {
      description: group.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n\n'),
      content: { [PROBLEM_MEDIA_TYPE]: { schema: problemSchema } },
    };
  }
  return responses;
}

/** An answer that is JSON or, when the client asks for it, a stream of server-sent events. */
export function jsonOrEvents<Schema extends z.ZodType>(description: string, schema: Schema) {
  return {
    description,
    content: { 'application/json': { schema }, 'text/event-stream': { schema: z.string() } },
  };
}
