import { expect, test } from 'vitest';
import { startedRun } from '../../../../tests/contracts/storage/fixtures.ts';
import type { InputQuestion } from '../../src/engines/types.ts';
import { RunRequests } from '../../src/runs/run-requests.ts';
import { RunWriter } from '../../src/runs/run-writer.ts';
import { openLog } from '../sessions/open-log.ts';

async function openRequests() {
  const { storage, log, key } = await openLog();
  const runId = await startedRun(storage, key);
  const run = await storage.getRun(key, runId);
  if (!run) throw new Error('no run');
  const make = (attempt: number) => {
    const writer = new RunWriter({
      run,
      attempt: run.attempt,
      elapsedMs: () => 0,
      log,
      checkEvent: () => {},
      onBroken: (reason) => expect.unreachable(String(reason)),
    });
    return new RunRequests({ run, attempt, storage, writer, timeoutMs: 1000, onAsked: () => {} });
  };
  const approve = async (requestId: string) => {
    const resolution = { outcome: 'approved', by: 'ada', value: undefined, reason: null, at: 1 } as const;
    await log.append({
      session: key,
      events: [],
      writes: [{ kind: 'resolve_request', requestId, resolution }],
    });
  };
  return { storage, key, runId, make, approve };
}

const QUESTION: InputQuestion = {
  key: 'pay',
  kind: 'approval',
  prompt: 'May I?',
  toolName: 'pay',
  arguments: { to: 'Ada', amount: 3 },
};

test('an approval is good for exactly the arguments that were asked, whoever asks again', async () => {
  const { storage, key, runId, make, approve } = await openRequests();
  const first = make(1);
  expect(await first.request(QUESTION)).toBeNull();
  expect(await first.request(QUESTION)).toBeNull();
  const [asked] = await storage.requestsOfRun(key, runId);
  await approve(asked?.requestId ?? '');

  for (const requests of [first, make(2)]) {
    const reordered = { ...QUESTION, arguments: { amount: 3, to: 'Ada' } };
    expect(await requests.request(reordered)).toMatchObject({ outcome: 'approved', by: 'ada' });
    for (const other of [
      { arguments: { to: 'Ada', amount: 4 } },
      { arguments: { to: 'Ada', amount: '3' } },
      { toolName: 'pay_all' },
      { key: 'again' },
    ]) {
      expect(await requests.request({ ...QUESTION, ...other })).toBeNull();
    }
  }
  expect(await storage.requestsOfRun(key, runId)).toHaveLength(5);
});

test('the same question at the same moment is asked once', async () => {
  const { storage, key, runId, make } = await openRequests();
  const requests = make(1);
  const answers = await Promise.all(Array.from({ length: 10 }, () => requests.request(QUESTION)));
  expect(answers).toEqual(Array.from({ length: 10 }, () => null));
  expect(await storage.requestsOfRun(key, runId)).toHaveLength(1);
});

test.each<[string, object]>([
  ['a key that is none', { key: '' }],
  ['a key that is too long', { key: 'x'.repeat(201) }],
  ['an unknown kind', { kind: 'wish' }],
  ['a prompt that is no text', { prompt: 7 }],
  ['a time that has passed', { expiresIn: 0 }],
  ['a time that is none', { expiresIn: Number.NaN }],
  ['a schema that is none', { schema: { type: 'nonsense' } }],
])('%s is a TypeError, and nothing is asked', async (_, wrong) => {
  const { storage, key, runId, make } = await openRequests();
  await expect(make(1).request({ ...QUESTION, ...wrong })).rejects.toThrow(TypeError);
  expect(await storage.requestsOfRun(key, runId)).toEqual([]);
});
