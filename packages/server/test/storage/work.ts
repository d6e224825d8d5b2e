/** The whole life of runs, one after the other, for tests of what a killed process leaves. */
import type { Append, Storage } from '../../src/storage/types.ts';

export const SESSION = {
  tenantId: 'tenant',
  ownerId: 'owner',
  sessionId: '00000000-0000-4000-8000-000000000001',
} as const;
const ENGINE = { engineId: 'e', engineType: 'TestEngine', config: {}, status: 'running' } as const;

export async function openSession(storage: Storage): Promise<void> {
  if (await storage.getSession(SESSION)) return;
  await storage.createSession(
    { ...SESSION, epoch: 'epoch-1', name: null, metadata: {}, createdAt: 1, engine: ENGINE, events: [] },
    Number.MAX_SAFE_INTEGER,
  );
}

/** Ends what the process before left, then works for ever. Tells what is committed: `queued RUN`, `done RUN`. */
export async function work(storage: Storage, say: (line: string) => void): Promise<never> {
  const append = async (values: Omit<Append, 'session'>) => {
    const [outcome] = await storage.append([{ session: SESSION, ...values }]);
    if (!outcome?.ok) throw new Error(`An append was refused: ${outcome?.reason}`);
  };
  const event = (runId: string, eventType: string, payload = '{}') => ({
    eventType,
    runId,
    payload,
    createdAt: 1,
  });
  const end = { result: null, usage: null, error: null, at: 1 };

  await openSession(storage);
  for (const { runId, attempt } of await storage.orphanedRuns()) {
    await append({
      events: [event(runId, 'run_finished')],
      writes: [
        { kind: 'recover_run', runId, attempt },
        { kind: 'finish_run', runId, from: ['queued'], status: 'failed', ...end },
      ],
    });
    say(`recovered ${runId}`);
  }
  for (let n = 1; ; n++) {
    const runId = `${storage.boot}-${n}`;
    const fence = { runId, attempt: 1 };
    const { engineId, engineType, config: engineConfig } = ENGINE;
    const parameters = {};
    const run = { runId, engineId, engineType, engineConfig, parameters };
    await append({
      events: [event(runId, 'run_queued')],
      writes: [
        { kind: 'create_run', maxAhead: 9, run: { ...run, command: 'prompt', bodyHash: 'h', createdAt: 1 } },
      ],
    });
    say(`queued ${runId}`);
    await append({
      events: [event(runId, 'run_started'), event(runId, 'message_started')],
      writes: [
        { kind: 'start_run', runId, attempt: 1, at: 1 },
        { kind: 'open_message', runId, eventIndex: 1 },
      ],
    });
    // Of all sizes, so that the write-ahead log is written back again and again, too.
    for (let delta = 0; delta < n % 5; delta++) {
      await append({
        fence,
        events: [event(runId, 'text_delta', `{"text":"${'x'.repeat((n * 997) % 20_000)}"}`)],
      });
    }
    await append({
      fence,
      events: [event(runId, 'message_completed', `{"run_id":"${runId}"}`), event(runId, 'run_finished')],
      writes: [
        { kind: 'insert_message', eventIndex: 0, streamed: true },
        { kind: 'finish_run', runId, from: ['running'], status: 'completed', ...end },
      ],
    });
    say(`done ${runId}`);
    if (n % 3 === 0) await storage.compactEvents(2, 10);
  }
}
