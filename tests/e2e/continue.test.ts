/** A run that was given up in the middle goes on from its last finished step, in whatever process. */
import { randomUUID } from 'node:crypto';
import { type ConfigInput, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../helpers/app.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** Tools that hang the first time; the processes of one data folder. */
async function workshop(data: Partial<ConfigInput>) {
  const models = await startTestModels();
  const config = { ...data, model: 'openai-compatible:x' };
  const executions: string[] = [];
  const hangs = testGate();
  const tool = (name: string, idempotent: boolean, hang: boolean) =>
    defineTool({
      name,
      description: name,
      parameters: z.object({}),
      idempotent,
      execute: async () => {
        executions.push(name);
        if (hang) await hangs.pass();
        return name;
      },
    });
  const start = (hang: boolean) => {
    const apiFactory = new ExtensibleAPIFactory()
      .registerTool(tool('quick', false, false))
      .registerTool(tool('once', false, hang))
      .registerTool(tool('again', true, hang));
    return startApp({ apiFactory, env: { OPENAI_BASE_URL: models.baseUrl }, config });
  };
  return { models, executions, hangs, start };
}

const calls = (...names: string[]) => ({
  steps: [{ text: 'Let me see. ' }, { toolCalls: names.map((name) => ({ name, arguments: {} })) }],
});

describe.each(STORAGES)('%s', (_, data) => {
  test('a graceful stop leaves a run to the next start: finished steps stay, results stay, nothing runs twice (P6)', async () => {
    const { models, executions, hangs, start } = await workshop(await data());
    models.script(calls('quick'), calls('quick', 'once', 'again'));
    const before = await start(true);
    const id = await before.createSession({ engine_type: 'ToolChatEngine' });
    const run_id = randomUUID();
    const command = { command: 'prompt', parameters: { prompt: 'Go' }, run_id };
    const watcher = await TestSocket.open(before.wsUrl(id));
    await watcher.request('subscribe');
    await call('POST', `${before.url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await hangs.reached;
    await watcher.find(() => watcher.events.filter((e) => e.event_type === 'tool_result').length === 2);

    await before.app.close({ graceMs: 0 });

    models.script({ steps: [{ text: 'All done.' }] });
    const after = await start(false);
    const { body } = await call('POST', `${after.url}/api/sessions/${id}/commands`, command);
    expect(body).toMatchObject({ run_id, status: 'completed', result: { text: 'All done.' } });
    expect(executions.sort()).toEqual(['again', 'again', 'once', 'quick', 'quick']);

    const { events } = (await call('GET', `${after.url}/api/sessions/${id}/events`)).body;
    const of = (type: string) =>
      events
        .filter((e: { event_type: string }) => e.event_type === type)
        .map((e: { payload: object }) => e.payload);
    expect(of('step_finished').map(({ step }: { step: number }) => step)).toEqual([1, 2, 3]);
    expect(of('run_started')).toHaveLength(1);
    expect(of('tool_call')).toHaveLength(4);
    expect(
      of('tool_result').map((p: { result: unknown; is_error: boolean }) => [p.is_error, p.result]),
    ).toEqual([
      [false, 'quick'],
      [false, 'quick'],
      [true, { error: expect.stringContaining('outcome is unknown') }],
      [false, 'again'],
    ]);
    // The usage of the whole run, whoever executed its steps.
    const sum = of('step_finished').reduce(
      (total: number, { usage }: { usage: { total_tokens: number } }) => total + usage.total_tokens,
      0,
    );
    expect(body.usage.total_tokens).toBe(sum);
    // What the model is told is one conversation, with one result for each call.
    const roles = models.requests.at(-1)?.body.messages.map(({ role }) => role);
    expect(roles).toEqual(['user', 'assistant', 'tool', 'assistant', 'tool', 'tool', 'tool']);
  });

  test('a run whose last step had finished ends with what it said, without asking the model again', async () => {
    const { models, start } = await workshop(await data());
    models.script({ steps: [{ text: 'Once.' }] });
    const before = await start(false);
    const id = await before.createSession({ engine_type: 'SinglePassEngine' });
    const run_id = randomUUID();
    const command = { command: 'prompt', parameters: { prompt: 'Go' }, run_id };
    const { storage } = before.app.services;
    // The process dies between the last step and the end of the run.
    const append = storage.append.bind(storage);
    const stopped = Promise.withResolvers<void>();
    const dead = Promise.withResolvers<never>();
    storage.append = (batch) => {
      const ends = batch.some(({ writes = [] }) => writes.some(({ kind }) => kind === 'finish_run'));
      if (!ends) return append(batch);
      stopped.resolve();
      return dead.promise;
    };
    void call('POST', `${before.url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await stopped.promise;
    await storage.close();
    dead.reject(new Error('the process is dead'));

    const after = await start(false);
    const { body } = await call('POST', `${after.url}/api/sessions/${id}/commands`, command);

    expect(body).toMatchObject({ status: 'completed', result: { text: 'Once.', finish_reason: 'stop' } });
    expect(models.requests).toHaveLength(1);
    expect((await call('GET', `${after.url}/api/sessions/${id}/messages`)).body.messages).toHaveLength(2);
  });

  test('a run that was given up keeps its deadline: what it had executed counts', async () => {
    const { models, start } = await workshop(await data());
    const gate = models.gate();
    models.script({ steps: [{ text: 'Half' }, { gate }] });
    const before = await start(false);
    const id = await before.createSession({ engine_type: 'ToolChatEngine' });
    const run_id = randomUUID();
    const command = { command: 'prompt', parameters: { prompt: 'Go' }, run_id };
    await call('POST', `${before.url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await gate.reached;
    await before.app.close({ graceMs: 0 });
    const after = await start(false);
    const row = await after.app.services.storage.getRun(
      { tenantId: 'default', ownerId: 'operator', sessionId: id },
      run_id,
    );
    expect(row).toMatchObject({ attempt: expect.any(Number), recoveries: 0 });
    expect(row?.elapsedMs).toBeGreaterThan(0);
    await call('POST', `${after.url}/api/sessions/${id}/commands`, command);
  });
});
