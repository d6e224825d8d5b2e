import { existsSync, readFileSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { History } from './history.ts';
import { writeHistory } from './keep.ts';
import { Random } from './random.ts';

test('what is kept of a failure has the seed, what was done, and what was seen', () => {
  const history = new History();
  const invocation = { kind: 'event', client: 'c', session: 's', id: 'e', body: {} } as const;
  history.invoke(invocation).ok({ cursor: 'epoch:1' });
  history.saw({ session: 's', client: 'c', connection: 1, kind: 'subscribed', cursor: 'epoch:1' });

  const path = writeHistory('a test: of this', new Random(42), history, { violations: ['one'] });
  try {
    expect(path).toContain('a-test-of-this-42');
    expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      seed: 42,
      violations: ['one'],
      history: {
        operations: [{ ...invocation, outcome: 'ok', result: { cursor: 'epoch:1' } }],
        sightings: [{ client: 'c', kind: 'subscribed' }],
      },
    });
  } finally {
    rmSync(path, { force: true });
  }
});
