/** What becomes of runs whose process died; `tests/e2e/crash.test.ts` kills a real one. */
import type { Usage } from '@llmgine/protocol';
import { expect, onTestFinished, test } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  queueRun,
  readLog,
  said,
  startedRun,
  textsOf,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { createLocalCluster } from '../../src/cluster/local.ts';
import { APIConfig } from '../../src/config.ts';
import type { EngineService } from '../../src/engines/service.ts';
import { recoverRuns } from '../../src/runs/recovery.ts';
import { SessionLog } from '../../src/sessions/log.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { SessionKey, Storage, Write } from '../../src/storage/types.ts';

const USAGE: Usage = { input_tokens: 27, output_tokens: 10, total_tokens: 37, reasoning_tokens: 2 };
const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** A data folder on which processes start and die. */
async function dataFolder() {
  const { values } = new APIConfig({ dataDir: await tempDir() }, { env: {} });
  const open = async () => {
    const storage = await openStorage(values);
    onTestFinished(() => storage.close());
    return storage;
  };
  const recover = async (storage: Storage, resumable: boolean) => {
    const log = new SessionLog({
      storage,
      cluster: createLocalCluster({ onListenerError: (error) => expect.unreachable(String(error)) }),
    });
    const queued: SessionKey[] = [];
    let ended = 0;
    await recoverRuns({
      storage,
      log,
      engines: { isResumable: () => resumable } as unknown as EngineService,
      logger,
      onQueued: (key) => queued.push(key),
      onEnded: () => ended++,
    });
    return { queued, ended };
  };
  return { open, recover };
}

const checkpoint = (runId: string): Write => ({ kind: 'checkpoint', runId, usage: USAGE, elapsedMs: 1234 });

/** A run in its second step: it has half a message open. */
async function halfSaid(storage: Storage, session: SessionKey): Promise<string> {
  const runId = await startedRun(storage, session);
  await appended(storage, session, {
    events: [
      event('step_finished', { runId }),
      event('message_started', { runId, payload: JSON.stringify({ message_id: 'm2', role: 'assistant' }) }),
      event('text_delta', { runId, payload: JSON.stringify({ message_id: 'm2', text: 'half' }) }),
    ],
    writes: [checkpoint(runId), { kind: 'open_message', runId, eventIndex: 1 }],
  });
  return runId;
}

const typesOf = async (storage: Storage, session: SessionKey, after: number) =>
  (await readLog(storage, session)).slice(after).map(({ eventType }) => eventType);

test('a run whose engine cannot continue it ends once, with the usage of the steps that it had finished (P6)', async () => {
  const { open, recover } = await dataFolder();
  const before = await open();
  const session = await createSession(before, { engine: ENGINE });
  const runId = await halfSaid(before, session);
  const other = await createSession(before, { engine: ENGINE });
  const idle = await startedRun(before, other);
  const { headSeq = 0 } = (await before.getSession(session)) ?? {};
  await before.close();
  const storage = await open();

  expect(await recover(storage, false)).toEqual({ queued: [], ended: 2 });
  expect(await recover(storage, false)).toEqual({ queued: [], ended: 0 });

  const error = { code: 'RUN_INTERRUPTED' };
  expect(await storage.getRun(session, runId)).toMatchObject({ status: 'failed', usage: USAGE, error });
  expect(await typesOf(storage, session, headSeq)).toEqual(['message_discarded', 'run_finished']);
  expect(JSON.parse((await readLog(storage, session)).at(-1)?.payload ?? '')).toMatchObject({
    usage: USAGE,
    error,
  });
  // One that had finished no step has used nothing that anybody knows of.
  expect(await storage.getRun(other, idle)).toMatchObject({ status: 'failed', usage: null, error });
});

test('a run that can be continued keeps its place and what it had done; only what was half said is withdrawn (P6)', async () => {
  const { open, recover } = await dataFolder();
  const before = await open();
  const session = await createSession(before, { engine: ENGINE });
  const runId = await halfSaid(before, session);
  const waiting = await queueRun(before, session);
  const { headSeq = 0 } = (await before.getSession(session)) ?? {};
  await before.close();
  const storage = await open();

  expect(await recover(storage, true)).toEqual({ queued: [session, session], ended: 0 });

  expect(await typesOf(storage, session, headSeq)).toEqual(['message_discarded']);
  expect(await storage.nextRun(session)).toMatchObject({
    runId,
    status: 'queued',
    attempt: 1,
    usage: USAGE,
    elapsedMs: 1234,
    openSeq: null,
  });
  expect(await storage.unfinishedRunIds(session)).toEqual([runId, waiting]);
  expect(await storage.sessionsWithQueuedRuns()).toEqual([session]);
});

test('a run that kills one process after the other is given up, unless it gets on (P6)', async () => {
  const { open, recover } = await dataFolder();
  let storage = await open();
  const session = await createSession(storage, { engine: ENGINE });
  const runId = await startedRun(storage, session);
  const ofAttempt = (attempt: number) => ({ fence: { runId, attempt } });
  const die = async () => {
    await storage.close();
    storage = await open();
    await recover(storage, true);
    const attempt = ((await storage.getRun(session, runId))?.attempt ?? 0) + 1;
    await append(storage, session, { writes: [{ kind: 'start_run', runId, attempt, at: 1 }] });
    return attempt;
  };

  for (let death = 1; death <= 5; death++) await die();
  const attempt = await die();
  expect(await storage.getRun(session, runId)).toMatchObject({
    status: 'failed',
    error: { code: 'RUN_INTERRUPTED' },
  });
  expect(attempt).toBe(7);

  const second = await queueRun(storage, session);
  await appended(storage, session, { writes: [{ kind: 'start_run', runId: second, attempt: 1, at: 1 }] });
  for (let death = 1; death <= 8; death++) {
    await appended(storage, session, {
      fence: { runId: second, attempt: death },
      writes: [checkpoint(second)],
    });
    await storage.close();
    storage = await open();
    await recover(storage, true);
    await appended(storage, session, {
      writes: [{ kind: 'start_run', runId: second, attempt: death + 1, at: 1 }],
    });
  }
  expect(await storage.getRun(session, second)).toMatchObject({ status: 'running', attempt: 9 });
  expect(await append(storage, session, { ...ofAttempt(1), events: [said('late')] })).toMatchObject({
    reason: 'fenced',
  });
  expect(textsOf(await storage.conversation(session, 1_000))).toEqual([]);
});
