/** Waiting for the end of a run. */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';

/** Sessions with a run that goes on until `gate` is open. */
async function startWaiting() {
  const gate = testGate();
  const { app, createSession } = await startApp({ apiFactory: testEngine(() => gate.pass()) });
  const { runs, sessions } = app.services;
  const open = async () => {
    const session = await sessions.get(LOCAL_OPERATOR, await createSession({ engine_type: 'TestEngine' }));
    const body = { command: 'act', parameters: {}, run_id: randomUUID(), on_conflict: 'queue' as const };
    await runs.start(session, body);
    return { session, runId: body.run_id };
  };
  return { gate, services: app.services, open };
}

test('who stops waiting while the run is being read hears why, and nobody else does', async () => {
  const { services, open } = await startWaiting();
  const { session, runId } = await open();
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => void process.off('unhandledRejection', unhandled));
  const reading = testGate();
  const read = services.storage.getRun.bind(services.storage);
  services.storage.getRun = async (...parameters) => {
    await reading.pass();
    return read(...parameters);
  };
  const gone = new AbortController();

  const result = services.runs.result(session, runId, gone.signal);
  await reading.reached;
  gone.abort(new Error('hung up'));
  // After it, what nobody has caught yet counts as unhandled.
  await setImmediate();
  reading.open();

  await expect(result).rejects.toThrow('hung up');
  expect(unhandled).not.toHaveBeenCalled();
});

test('the end of a session is heard once, whatever the number of those who wait', async () => {
  const { gate, services, open } = await startWaiting();
  const [deleted, kept] = [await open(), await open()];
  const listens = vi.spyOn(services.cluster, 'onNotice');
  const waiting = Promise.allSettled(
    Array.from({ length: 5 }, () => services.runs.result(deleted.session, deleted.runId)),
  );
  const other = services.runs.result(kept.session, kept.runId);

  await services.sessions.delete(LOCAL_OPERATOR, deleted.session.sessionId);

  const gone = { status: 'rejected', reason: expect.objectContaining({ code: 'SESSION_NOT_FOUND' }) };
  expect(await waiting).toEqual(Array.from({ length: 5 }, () => gone));
  gate.open();
  expect(await other).toMatchObject({ status: 'completed' });
  expect(listens).not.toHaveBeenCalled();
});
