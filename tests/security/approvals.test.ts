import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';

test('check 32 (AISVS 9.2.1): an approval is good for the call that was shown, as it was shown, and once', async () => {
  const paid: object[] = [];
  const { models, url, createSession } = await startModelApp({
    apiFactory: new ExtensibleAPIFactory().registerTool(
      defineTool({
        name: 'pay',
        description: 'Pays',
        parameters: z.object({ to: z.string(), amount: z.number() }),
        approval: true,
        execute: (args) => {
          paid.push(args);
          return 'paid';
        },
      }),
    ),
  });
  const path = `${url}/api/sessions/${await createSession({ engine_type: 'ToolChatEngine' })}`;
  const command = { command: 'prompt', parameters: { prompt: 'Pay' } };
  const shown = { to: 'Ada', amount: 1 };
  const pay = (args: object, id: string) => ({
    steps: [{ toolCalls: [{ id, name: 'pay', arguments: args }] }],
  });
  // The model asks for more, under the same id, once it was allowed the first call.
  models.script(pay(shown, 'call_1'), pay({ to: 'Eve', amount: 1000 }, 'call_1'), {
    steps: [{ text: 'Done.' }],
  });
  const asked = (await call('POST', `${path}/commands`, command)).body;
  const answer = (requestId: string, body: object) => call('POST', `${path}/requests/${requestId}`, body);
  const changed = {
    arguments: { to: 'Eve', amount: 1000 },
    value: { to: 'Eve', amount: 1000 },
    tool_name: 'other',
  };

  const first = await answer(asked.request_id, { outcome: 'approved', ...changed });
  const next = (await call('POST', `${path}/commands`, { ...command, run_id: asked.run_id })).body;
  const replayed = await answer(asked.request_id, { outcome: 'denied' });

  expect(first.status).toBe(200);
  expect(next).toMatchObject({ status: 'awaiting_input' });
  expect(next.request_id).not.toBe(asked.request_id);
  expect(replayed).toMatchObject({ status: 409, body: { code: 'REQUEST_ALREADY_ANSWERED' } });
  expect(paid).toEqual([shown]);
  const waiting = await call('GET', `${path}/requests/${next.request_id}`);
  expect(waiting.body).toMatchObject({ status: 'pending', arguments: { to: 'Eve', amount: 1000 } });
});
