import type { SessionUsage } from '@llmgine/protocol';
import type { SessionRow } from '../storage/types.ts';

const NONE = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };

/** What the runs of a session have used, as clients see it. */
export function toSessionUsage({ usage, steps, elapsedMs }: SessionRow): SessionUsage {
  return { ...(usage ?? NONE), steps, seconds: elapsedMs / 1000 };
}
