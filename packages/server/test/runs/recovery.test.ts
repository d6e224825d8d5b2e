/** What becomes of runs whose process died; `tests/e2e/crash.test.ts` kills a real one. */
import type { Usage } from '@llmgine/protocol';
import { expect, onTestFinished, test } from 'vitest';
import {
  appended,
  createSession,
  ENGINE,
  event,
  readLog,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { createLocalCluster } from '../../src/cluster/local.ts';
import { endOrphanedRuns } from '../../src/runs/recovery.ts';
import { SessionLog } from '../../src/sessions/log.ts';
import { openStorage } from '../../src/storage/open.ts';

const stepFinished = (runId: string, usage: Usage | null) =>
  event('step_finished', { runId, payload: JSON.stringify({ step: 1, usage, finish_reason: 'stop' }) });

const tokens = (input: number, output: number, more: object = {}): Usage => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
  ...more,
});

test('a run that is found running ends with the usage of the steps that it had finished', async () => {
  const dataDir = await tempDir();
  const open = async () => {
    const storage = await openStorage({ dataDir, databaseUrl: undefined, sqliteSynchronous: 'normal' });
    onTestFinished(() => storage.close());
    return storage;
  };
  const before = await open();
  const session = await createSession(before, { engine: ENGINE });
  const runId = await startedRun(before, session);
  await appended(before, session, { events: [stepFinished(runId, tokens(7, 7))] });
  const other = await createSession(before, { engine: ENGINE });
  const idle = await startedRun(before, other);
  const deltas = Array.from({ length: 500 }, () => event('text_delta', { runId }));
  await appended(before, session, {
    events: [
      ...deltas,
      stepFinished(runId, null),
      stepFinished('another-run', tokens(100, 100)),
      stepFinished(runId, tokens(20, 3, { reasoning_tokens: 2 })),
    ],
  });
  await before.close();
  const storage = await open();
  const log = new SessionLog({
    storage,
    cluster: createLocalCluster({ onListenerError: (error) => expect.unreachable(String(error)) }),
  });

  expect(await endOrphanedRuns(storage, log)).toBe(2);

  const usage = tokens(27, 10, { reasoning_tokens: 2 });
  const error = { code: 'RUN_INTERRUPTED' };
  expect(await storage.getRun(session, runId)).toMatchObject({ status: 'failed', usage, error });
  expect(JSON.parse((await readLog(storage, session)).at(-1)?.payload ?? '')).toMatchObject({ usage, error });
  // One that had finished no step has used nothing that anybody knows of.
  expect(await storage.getRun(other, idle)).toMatchObject({ status: 'failed', usage: null, error });
});
