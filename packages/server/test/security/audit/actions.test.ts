import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_ACTIONS } from '@llmgine/protocol';
import { expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../../src');
const PAGE = join(import.meta.dirname, '../../../../../docs/operations/audit.md');

test('every action that the audit log names is recorded by something', () => {
  const files = globSync('**/*.ts', { cwd: SOURCE });
  const code = files.map((file) => readFileSync(join(SOURCE, file), 'utf8')).join('\n');

  expect(files.length).toBeGreaterThan(100);
  expect(AUDIT_ACTIONS.filter((action) => !code.includes(`'${action}'`))).toEqual([]);
});

test('the page about the audit log has each of them, and no other', () => {
  const rows = [...readFileSync(PAGE, 'utf8').matchAll(/^\| `([a-z.]+)` \|/gm)].map(([, action]) => action);

  expect(rows.sort()).toEqual([...AUDIT_ACTIONS].sort());
});
