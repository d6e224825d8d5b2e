import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { chaosRandom, chaosRounds } from '../../../../tests/faults/random.ts';
import type { LogEvent } from '../../src/storage/log-event.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import { temporaryFolder } from './folder.ts';
import { startProgram } from './process.ts';
import { SESSION } from './work.ts';

const ALL = 1_000_000;
const ROUNDS = chaosRounds(20);

function expectIntact(path: string): void {
  const database = new DatabaseSync(path);
  expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  database.close();
}

describe('after kill -9', () => {
  it.for([1, 5, 50, 500])('what was acknowledged is there, after %i appends (P2)', async (appends) => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    const program = startProgram('append', path);
    expect(await program.line()).toBe('open 1');
    let acknowledged = 0;
    while (acknowledged < appends) acknowledged = Number(await program.line());

    await program.kill();
    for await (const line of program.rest()) acknowledged = Number(line);
    const storage = await openSqliteStorage({ path, synchronous: 'normal' });
    const page = await storage.readEvents(SESSION, 0, ALL);
    await storage.close();

    // It may have died between a commit and telling of it.
    expect([acknowledged, acknowledged + 1]).toContain(page?.headSeq);
    expect(page?.events.map(({ seq }) => seq)).toEqual(page?.events.map((_, index) => index + 1));
    expect(page?.events).toHaveLength(page?.headSeq ?? -1);
    expectIntact(path);
  });

  it(`${ROUNDS} times during commits, every acknowledged write is there and no half of one (P1, P2, P6)`, {
    timeout: 20_000 + ROUNDS * 5000,
  }, async () => {
    const random = chaosRandom();
    process.stdout.write(`CHAOS_SEED=${random.seed}\n`);
    const path = join(await temporaryFolder(), 'llmgine.db');
    const acknowledged = new Set<string>();

    for (let round = 0; round < ROUNDS; round++) {
      const program = startProgram('work', path);
      expect(await program.line()).toMatch(/^open \d+$/);
      for (let lines = random.int(0, 150); lines > 0; lines--) acknowledged.add((await program.line()) ?? '');
      await program.kill();
      for await (const line of program.rest()) acknowledged.add(line);

      const storage = await openSqliteStorage({ path, synchronous: 'normal' });
      await expectWhole(storage, acknowledged);
      await storage.close();
      expectIntact(path);
    }
    expect(acknowledged.size).toBeGreaterThan(ROUNDS);
  });
});

async function expectWhole(storage: Storage, acknowledged: ReadonlySet<string>): Promise<void> {
  const log = (await storage.readEvents(SESSION, 0, ALL, Number.MAX_SAFE_INTEGER)) ?? {
    events: [],
    headSeq: 0,
  };
  const { runs } = await storage.listRuns(SESSION, { limit: ALL });
  const statuses = new Map(runs.map(({ runId, status }) => [runId, status]));
  const messages = await storage.conversation(SESSION, ALL);

  for (const line of acknowledged) {
    const [told, runId = ''] = line.split(' ');
    if (told === 'queued') expect(statuses.has(runId), line).toBe(true);
    else expect(statuses.get(runId), line).toBe(told === 'done' ? 'completed' : 'failed');
  }
  // What belongs together was committed together.
  const completed = runs.filter(({ status }) => status === 'completed').map(({ runId }) => runId);
  expect(messages.map((message) => message.run_id)).toEqual(completed.toReversed());
  const finished = log.events.filter(({ eventType }) => eventType === 'run_finished');
  const unfinished = runs.filter(({ finishedAt }) => finishedAt === null).length;
  expect(finished.length).toBe(runs.length - unfinished);
  expect((await storage.getSession(SESSION))?.unfinishedRuns ?? 0).toBe(unfinished);
  expectContiguous(log);
}

/** What is not there was compacted: the message says which numbers it stands for. */
function expectContiguous(log: { readonly events: readonly LogEvent[]; readonly headSeq: number }): void {
  const seen = new Set(log.events.map(({ seq }) => seq));
  for (const { eventType, payload } of log.events) {
    if (eventType !== 'message_completed') continue;
    const { replaces } = JSON.parse(payload) as { replaces?: { from_seq: number; to_seq: number } };
    for (let seq = replaces?.from_seq ?? 1; seq <= (replaces?.to_seq ?? 0); seq++) seen.add(seq);
  }
  expect(seen.size).toBe(log.headSeq);
  expect(Math.max(0, ...log.events.map(({ seq }) => seq))).toBe(log.headSeq);
}
