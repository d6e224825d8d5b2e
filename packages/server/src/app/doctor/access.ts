import type { ConfigValues } from '../../config.ts';
import { assertSomebodyMayEnter } from '../../security/auth-mode.ts';
import { type Finding, problem, reasonOf } from './check.ts';

/** What stops a start that would let nobody in; null when somebody may call. `hasKey`: null when nobody can tell. */
export async function checkAccess(values: ConfigValues, hasKey: boolean | null): Promise<Finding | null> {
  try {
    await assertSomebodyMayEnter(values, async () => hasKey !== false);
    return null;
  } catch (error) {
    return problem(
      reasonOf(error),
      'do one of these; an application that checks credentials of its own (registerAuthentication) needs none',
    );
  }
}
