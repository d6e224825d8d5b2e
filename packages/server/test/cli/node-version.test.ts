import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { nodeTooOld, OLDEST_NODE } from '../../src/cli/node-version.ts';

test.each([
  ['18.0.0', 'needs Node 24 or newer, this is v18.0.0'],
  ['20.20.2', 'needs Node 24 or newer, this is v20.20.2'],
  ['24.0.0', undefined],
  ['100.1.0', undefined],
])('Node %s: %s', (version, expected) => {
  expect(nodeTooOld(version)).toBe(expected);
});

test('the package says the same', () => {
  expect(manifest.engines.node).toBe(`>=${OLDEST_NODE}`);
});
