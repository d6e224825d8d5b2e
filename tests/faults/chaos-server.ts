/**
 * A server to be killed: `llmgine serve` with tools whose effects outlive it. Its configuration comes from the
 * environment. It has no net under it: a rejection that nobody handles ends it.
 */
import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setTimeout as later } from 'node:timers/promises';
import { APIConfig, createApp, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { z } from 'zod';
import { EXECUTIONS_FILE, TOOL_DELAY } from './executions.ts';

const file = process.env[EXECUTIONS_FILE];
const delay = Number(process.env[TOOL_DELAY] ?? 0);

function counting(tool: string, idempotent: boolean, approval = false) {
  return defineTool({
    name: tool,
    description: 'Counts',
    parameters: z.object({}),
    idempotent,
    approval,
    async execute(_args, { toolCallId, runId }) {
      const call = { tool, tool_call_id: toolCallId, run_id: runId };
      const execution = { ...call, idempotent, approval, at: Date.now() };
      // Synchronous: what is done is done when the process is killed.
      if (file !== undefined) appendFileSync(file, `${JSON.stringify(execution)}\n`);
      await later(delay);
      return { counted: tool };
    },
  });
}

const apiFactory = new ExtensibleAPIFactory()
  .registerTool(counting('count', false))
  .registerTool(counting('count_idempotent', true))
  .registerTool(counting('count_approved', false, true))
  .registerTool(
    defineTool({
      name: 'count_client',
      description: 'Counts, in the client that claims it',
      parameters: z.object({ ask: z.boolean() }),
      result: z.object({ counted: z.string(), by: z.string() }),
      client: true,
      approval: ({ ask }) => ask,
    }),
  );

const app = await createApp({ config: new APIConfig(), apiFactory });
process.once('SIGTERM', () => void app.close());
await app.listen();
// Killed, it has no other time for it.
flushCompileCache();
