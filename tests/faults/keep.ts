/** What has to be known of a chaos test that failed. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed } from 'vitest';
import type { History } from './history.ts';
import type { Random } from './random.ts';

/**
 * Prints the seed, and when the test fails writes the history to a file whose path it prints, with whatever `more` gives
 * then.
 */
export function keepOnFailure(title: string, random: Random, history: History, more: () => object): void {
  process.stderr.write(`${title}: CHAOS_SEED=${random.seed}\n`);
  onTestFailed(() => {
    const path = writeHistory(title, random, history, more());
    process.stderr.write(`${title}: CHAOS_SEED=${random.seed}, the history is in ${path}\n`);
  });
}

/** Gives the path of the file. */
export function writeHistory(title: string, { seed }: Random, history: History, more: object): string {
  const name = title.replaceAll(/[^A-Za-z0-9]+/g, '-');
  const path = join(tmpdir(), `llmgine-chaos-${name}-${seed}-${process.pid}.json`);
  writeFileSync(path, JSON.stringify({ title, seed, ...more, history }, null, 1));
  return path;
}
