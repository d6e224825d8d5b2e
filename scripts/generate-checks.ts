/**
 * Writes the table of security checks. What proves a check is found by the titles of tests, which hold `check N`. With
 * `--check` it writes nothing and fails when the table is out of date, or when a check has neither a test nor a reason.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKS } from './security-checks.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGE = 'docs/reference/checks.md';
const TESTS = ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'];

/** Of a test or a group of them; it may stand on a line of its own, behind the table of an `each`. */
const TITLE = /^\s*(?:(?:test|it|describe)\b.*?\(|\]\)\(|\)\()?\s*(['"`])(.+?)\1,/gm;
/** `check 7: …`, `… (F8, check 29)`, or in front, with its source: `7 (ASVS 9.1.1): …`. */
const NUMBERS = /\bchecks? (\d+(?:(?:, | and )\d+)*)|^(\d+(?:, \d+)*) \((?:ASVS|AISVS|API|LLM|OWASP|RFC)/g;

function testsOfChecks(): ReadonlyMap<number, ReadonlySet<string>> {
  const found = new Map<number, Set<string>>();
  for (const file of globSync(TESTS, { cwd: ROOT }).sort()) {
    for (const [, , title = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(TITLE)) {
      for (const [, named, inFront] of title.matchAll(NUMBERS)) {
        for (const number of (named ?? inFront ?? '').match(/\d+/g) ?? []) {
          const files = found.get(Number(number)) ?? new Set();
          found.set(Number(number), files.add(file));
        }
      }
    }
  }
  return found;
}

const tests = testsOfChecks();
const open: number[] = [];
const rows = CHECKS.map(({ number, what, source, notYet }) => {
  const files = [...(tests.get(number) ?? [])];
  if (files.length === 0 && notYet === undefined) open.push(number);
  const state =
    files.length > 0
      ? notYet === undefined
        ? 'tested'
        : 'tested in part'
      : notYet
        ? 'does not apply yet'
        : 'open';
  const links = files.map((file) => `[${file.split('/').at(-1)}](../../${file})`).join(', ');
  const cells = [String(number), what, source, state, [notYet, links].filter(Boolean).join(' ')];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
});
const text = `# Security checks

<!-- Made by \`npm run docs\` from scripts/security-checks.ts and the titles of tests; change those instead. -->

Forty checks, most of them of OWASP's ASVS 5.0, AISVS 1.0 and the lists of the ten greatest risks of APIs and of LLM
applications. A check is tested when tests have its number in their title, as in "check 34: …" or "7 (ASVS 9.1.1): …". What the server defends against, and what not, is in [the threat model](../operations/security.md).

| check | what must hold | source | status | tests, or what is missing |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;

const unknown = [...tests.keys()].filter((number) => !CHECKS.some((check) => check.number === number));
for (const number of unknown)
  console.error(`Tests name the check ${number}, which is not in scripts/security-checks.ts`);
for (const number of open) console.error(`Check ${number} has neither a test nor a reason why not`);
const file = join(ROOT, PAGE);
const isCurrent = currentText() === text;
if (process.argv.includes('--check')) {
  if (!isCurrent) console.error(`${PAGE} is out of date: run "npm run docs"`);
  if (!isCurrent || open.length + unknown.length > 0) process.exitCode = 1;
} else if (!isCurrent) {
  writeFileSync(file, text);
  console.log(`wrote ${PAGE}`);
}

function currentText(): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
