import { type Finding, ok, problem, warning } from './check.ts';

/** What a start would do with data that these migrations were applied to. */
export function compareMigrations(
  description: string,
  applied: readonly string[],
  known: readonly string[],
): Finding {
  const newer = applied.filter((name) => !known.includes(name));
  if (newer.length > 0) {
    return problem(
      `${description} was written by a newer version of LLMgine`,
      'run that version, or restore a backup that this one has written',
    );
  }
  const missing = known.length - applied.length;
  if (missing === 0) return ok(description);
  return warning(
    `${description} has ${missing} of ${known.length} migrations to come`,
    'the next start of this version applies them; make a backup first',
  );
}
