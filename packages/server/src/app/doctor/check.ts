/** `warning`: it works, but not as people may expect. `problem`: it does not work. */
export type CheckStatus = 'ok' | 'warning' | 'problem';

/** What one check has found. Holds no secret. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  readonly message: string;
  /** What to do about it. */
  readonly fix?: string;
}

export type Finding = Omit<Check, 'name'>;

export function ok(message: string): Finding {
  return { status: 'ok', message };
}

export function warning(message: string, fix: string): Finding {
  return { status: 'warning', message, fix };
}

export function problem(message: string, fix: string): Finding {
  return { status: 'problem', message, fix };
}

/** The first line of what went wrong. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}
