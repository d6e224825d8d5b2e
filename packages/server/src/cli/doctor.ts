/** `llmgine doctor`: what a start would meet, and what to do about it. */
import type { Check, CheckStatus } from '../app/doctor/check.ts';
import { examine } from '../app/doctor/doctor.ts';
import type { ConfigInput } from '../config.ts';
import { readDuration } from './durations.ts';
import { describeFailure, EXIT } from './exit.ts';
import { plainText } from './plain-text.ts';
import { terminalStyle } from './style.ts';

/** As they come from the command line; the configuration validates them. */
export interface DoctorCommandOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly host?: string;
  readonly port?: string;
  readonly model?: string;
  readonly offline?: boolean;
  readonly timeout: string;
  readonly json?: boolean;
}

const MARKS = { ok: ['✓', 'green'], warning: ['!', 'yellow'], problem: ['✗', 'red'] } as const;
const WORST_LAST: readonly CheckStatus[] = ['ok', 'warning', 'problem'];
const NAME_WIDTH = 14;

/** Resolves to 1 when there is a problem. Never rejects. */
export async function doctor(options: DoctorCommandOptions): Promise<number> {
  try {
    const { config: file, offline = false, timeout, json = false, ...overrides } = options;
    const checks: Check[] = [];
    const examination = examine({
      overrides: overrides as Partial<ConfigInput>,
      source: { file },
      offline,
      timeoutMs: readDuration('--timeout', timeout) * 1000,
    });
    for await (const check of examination) {
      checks.push(check);
      if (!json) process.stdout.write(line(check));
    }
    const status = WORST_LAST[Math.max(...checks.map((check) => WORST_LAST.indexOf(check.status)))] ?? 'ok';
    process.stdout.write(
      json ? `${JSON.stringify({ status, checks }, null, 2)}\n` : `\n${summary(checks)}\n`,
    );
    return status === 'problem' ? EXIT.FAILED : EXIT.OK;
  } catch (error) {
    const { line: text, exitCode } = describeFailure(error);
    process.stderr.write(`llmgine: ${text}\n`);
    return exitCode;
  }
}

function line({ name, status, message, fix }: Check): string {
  const style = terminalStyle(process.stdout);
  const [mark, color] = MARKS[status];
  const indent = ' '.repeat(NAME_WIDTH + 3);
  const remedy = fix === undefined ? '' : `${indent}${style('dim', `→ ${plainText(fix)}`)}\n`;
  return `${style(color, mark)} ${name.padEnd(NAME_WIDTH)} ${plainText(message)}\n${remedy}`;
}

function summary(checks: readonly Check[]): string {
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  if (problems + warnings === 0) return 'All is well.';
  return `${plural(problems, 'problem')}, ${plural(warnings, 'warning')}.`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
